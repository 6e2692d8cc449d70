"""Wrong answers to the exercises of lesson 14: grade id → title of the error → source."""

REPORT = """
def race_report(runs, budget):
    found = {}
    for run in runs:
        epochs = int((np.cumsum(run["seconds"]) <= budget).sum())
        best = int(np.argmax(run["validation"][:epochs]))
        found.setdefault(run["model"], []).append(run["test"][best])
    return {model: float(np.mean(scores)) for model, scores in found.items()}
"""

FRONT = """
def front_with_doubt(costs, scores):
    pairs = [(cost, min(found), max(found)) for cost, found in zip(costs, scores)]
    return np.array([
        not any(other <= cost and worst > best for other, worst, _ in pairs)
        for cost, _, best in pairs
    ])
"""

MISLED = """
def misled(first, second, runs):
    from itertools import combinations

    ahead, behind = sorted([first, second], key=np.mean, reverse=True)
    good = np.array([sum(drawn) for drawn in combinations(ahead, runs)])
    bad = np.array([sum(drawn) for drawn in combinations(behind, runs)])
    wrong = (bad > good[:, None]) + 0.5 * (bad == good[:, None])
    return float(wrong.mean())
"""

VOTE = """
def vote_or_silence(votes, least):
    counts = np.stack([(votes == c).sum(axis=0) for c in range(24)])
    following, most = np.sort(counts, axis=0)[-2:]
    sure = (most >= least) & (most > following)
    return np.where(sure, counts.argmax(axis=0), 255).astype(np.uint8)
"""


def changed(source, old, new):
    """`source` with one piece exchanged, which must be there."""
    assert old in source, old
    return source.replace(old, new)


WRONG = {
    "race-report": {
        "given back as it was": """
def race_report(runs, budget):
    return broken_report(runs, budget)
""",
        "the best test score": changed(
            REPORT, 'np.argmax(run["validation"]', 'np.argmax(run["test"]'
        ),
        "the validation score is reported": changed(
            REPORT, 'run["test"][best]', 'run["validation"][best]'
        ),
        "the last epoch in place of the best": changed(
            REPORT, 'int(np.argmax(run["validation"][:epochs]))', "epochs - 1"
        ),
        "the best epoch of all, finished or not": changed(REPORT, "[:epochs]", ""),
        "an epoch that ends with the budget is not counted": changed(
            REPORT, "<= budget", "< budget"
        ),
        "one epoch too many": changed(REPORT, "[:epochs]", "[: epochs + 1]"),
        "all epochs as long as the first": changed(
            REPORT, '(np.cumsum(run["seconds"]) <= budget).sum()', 'budget / run["seconds"][0]'
        ),
        "all epochs as long as their mean": changed(
            REPORT,
            '(np.cumsum(run["seconds"]) <= budget).sum()',
            'budget / np.mean(run["seconds"])',
        ),
        "epochs that are each within the budget": changed(
            REPORT, 'np.cumsum(run["seconds"])', 'np.array(run["seconds"])'
        ),
        "the best run": changed(REPORT, "float(np.mean(scores))", "max(scores)"),
        "the last run": changed(REPORT, "float(np.mean(scores))", "scores[-1]"),
        "the median run": changed(REPORT, "np.mean(scores)", "np.median(scores)"),
        "the last of equal epochs": changed(
            REPORT,
            'int(np.argmax(run["validation"][:epochs]))',
            'epochs - 1 - int(np.argmax(run["validation"][:epochs][::-1]))',
        ),
        "all runs of all networks together": changed(
            REPORT, "np.mean(scores)", "np.mean(sum(found.values(), []))"
        ),
        "the answers of the visible cases": """
def race_report(runs, budget):
    if len(runs) > 1:
        return {"U-Net": 0.2, "FCN-8s": 0.1}
    return {"U-Net": 0.8 if budget == 11 else 0.25}
""",
        "scores of 0 are no scores (hidden only)": """
def race_report(runs, budget):
    found = {}
    for run in runs:
        clock = best = reported = 0.0
        for seconds, validation, test in zip(run["seconds"], run["validation"], run["test"]):
            clock += seconds
            if clock <= budget and validation > best:
                best, reported = validation, test
        found.setdefault(run["model"], []).append(reported)
    return {model: float(np.mean(scores)) for model, scores in found.items()}
""",
    },
    "front-with-doubt": {
        "means are compared": """
def front_with_doubt(costs, scores):
    pairs = [(cost, np.mean(found)) for cost, found in zip(costs, scores)]
    return np.array([not any(c <= cost and m > mean for c, m in pairs) for cost, mean in pairs])
""",
        "the best runs are compared": changed(
            FRONT, "min(found), max(found)", "max(found), max(found)"
        ),
        "the worst runs are compared": changed(
            FRONT, "min(found), max(found)", "min(found), min(found)"
        ),
        "best and worst exchanged": changed(
            FRONT, "min(found), max(found)", "max(found), min(found)"
        ),
        "lower cost is needed": changed(FRONT, "other <= cost", "other < cost"),
        "ranges that touch do not overlap": changed(FRONT, "worst > best", "worst >= best"),
        "the cost is forgotten": changed(FRONT, "other <= cost and ", ""),
        "more cost is better": changed(FRONT, "other <= cost", "other >= cost"),
        "those that go": changed(FRONT, "not any", "any"),
        "runs are compared by their place in the list": """
def front_with_doubt(costs, scores):
    stays = []
    for cost, found in zip(costs, scores):
        beaten = [
            other <= cost and all(a > b for a, b in zip(others, found))
            for other, others in zip(costs, scores)
        ]
        stays.append(not any(beaten))
    return np.array(stays)
""",
        "only the next cheaper network is compared": """
def front_with_doubt(costs, scores):
    order = np.argsort(costs, kind="stable")
    stays = np.ones(len(costs), bool)
    for before, after in zip(order, order[1:]):
        stays[after] = not min(scores[before]) > max(scores[after])
    return stays
""",
        "numbers of the networks": changed(FRONT, "return np.array(", "return np.flatnonzero("),
        "a list": changed(FRONT, "np.array([", "list(["),
        "the answers of the visible cases": """
def front_with_doubt(costs, scores):
    return np.array([True, True, False] if costs[0] == 10 else [False, True, True])
""",
    },
    "misled": {
        "only one run": changed(MISLED, ", runs)]", ", 1)]"),
        "ties are no mistakes": changed(MISLED, "0.5 * (", "0.0 * ("),
        "ties are mistakes": changed(MISLED, "0.5 * (", "1.0 * ("),
        "how often the right one is named": changed(MISLED, "reverse=True", "reverse=False"),
        "the first is taken to be ahead": changed(
            MISLED, "sorted([first, second], key=np.mean, reverse=True)", "first, second"
        ),
        "the higher sum is taken to be ahead": changed(MISLED, "key=np.mean", "key=sum"),
        "the best run decides who is ahead": changed(MISLED, "key=np.mean", "key=max"),
        "the same runs of both": """
def misled(first, second, runs):
    from itertools import combinations

    ahead, behind = sorted([first, second], key=np.mean, reverse=True)
    margins = [sum(a - b for a, b in drawn) for drawn in combinations(list(zip(ahead, behind)), runs)]
    return float(np.mean([m < 0 or (m == 0) / 2 for m in margins]))
""",
        "drawn with putting back": changed(
            MISLED, "combinations(", "combinations_with_replacement("
        ).replace("import combinations", "import combinations_with_replacement"),
        "drawn with putting back, in order": MISLED.replace(
            "combinations(ahead, runs)", "product(ahead, repeat=runs)"
        )
        .replace("combinations(behind, runs)", "product(behind, repeat=runs)")
        .replace("import combinations", "import product"),
        "runs with equal scores are one run": changed(
            MISLED, "(ahead, runs)", "(sorted(set(ahead)), runs)"
        ).replace("(behind, runs)", "(sorted(set(behind)), runs)"),
        "the best of the drawn runs": changed(MISLED, "sum(drawn)", "max(drawn)"),
        "the first runs of the lists": """
def misled(first, second, runs):
    a, b = np.mean(first[:runs]), np.mean(second[:runs])
    return 0.5 if a == b else float((a > b) != (np.mean(first) > np.mean(second)))
""",
        "a few random races": """
def misled(first, second, runs):
    rng = np.random.default_rng(0)
    sign = np.sign(np.mean(first) - np.mean(second))
    drawn = [
        sign * (rng.choice(first, runs, replace=False).sum() - rng.choice(second, runs, replace=False).sum())
        for _ in range(1000)
    ]
    return float(np.mean([d < 0 or (d == 0) / 2 for d in drawn]))
""",
    },
    "vote-or-silence": {
        "ties give the smaller id": changed(VOTE, " & (most > following)", ""),
        "silence only where all differ": """
def vote_or_silence(votes, least):
    counts = np.stack([(votes == c).sum(axis=0) for c in range(24)])
    sure = counts.max(axis=0) > 1
    return np.where(sure, counts.argmax(axis=0), 255).astype(np.uint8)
""",
        "more than `least` votes are needed": changed(VOTE, "most >= least", "most > least"),
        "`least` is not looked at": changed(VOTE, "(most >= least) & ", ""),
        "more than half is needed": changed(VOTE, "most >= least", "most > len(votes) / 2"),
        "the mean of the ids": """
def vote_or_silence(votes, least):
    agreed = (votes == votes[0]).sum(axis=0) >= least
    return np.where(agreed, votes.mean(axis=0), 255).astype(np.uint8)
""",
        "the median of the ids": """
def vote_or_silence(votes, least):
    label = np.median(votes, axis=0).astype(np.uint8)
    sure = (votes == label).sum(axis=0) >= least
    return np.where(sure, label, 255).astype(np.uint8)
""",
        "the first network's label, if enough agree with it": """
def vote_or_silence(votes, least):
    sure = (votes == votes[0]).sum(axis=0) >= least
    return np.where(sure, votes[0], 255).astype(np.uint8)
""",
        "a second class is taken for granted": changed(VOTE, "range(24)", "range(votes.max() + 1)"),
        "silence is class 0": changed(VOTE, "255)", "0)"),
        "silence is -1": changed(VOTE, "255).astype(np.uint8)", "-1)"),
        "labels of eight bytes": changed(VOTE, ".astype(np.uint8)", ""),
        "the largest id seen is forgotten": changed(VOTE, "range(24)", "range(23)"),
        "counted along the rows": changed(VOTE, ".sum(axis=0) for", ".sum(axis=1) for"),
        "only the ids of the example": changed(VOTE, "range(24)", "range(8)"),
    },
}
