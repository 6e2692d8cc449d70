"""The errors that bad data raises."""


class DataError(ValueError):
    """Something is wrong with the data; the message names the file and the remedy."""


class NoDatasetError(DataError):
    """A folder holds no drone dataset at all."""
