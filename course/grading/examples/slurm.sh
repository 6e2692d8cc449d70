#!/bin/bash
# Grade on a cluster: four machines, a quarter of the class each, then the reports.
#
#   cd the/course
#   jobs=$(sbatch --parsable course/grading/examples/slurm.sh SUBMISSIONS AUTHOR OUT)
#   sbatch --dependency=afterany:$jobs --array=1 course/grading/examples/slurm.sh --merge OUT
#
# OUT must be on a disk that all machines share. Submit the same line again if a job was killed:
# what it had graded stays. To change the number of parts, change --array alone.
#SBATCH --job-name=grade
#SBATCH --array=1-4
#SBATCH --cpus-per-task=4
#SBATCH --mem=16G
#SBATCH --time=02:00:00
set -euo pipefail

if [ "$1" = --merge ]; then
  exec python -m course grade --merge "$2" --out "$2"
fi
python -m course grade "$1" --author "$2" --out "$3" \
  --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --workers "$SLURM_CPUS_PER_TASK"
