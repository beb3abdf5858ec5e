"""What is needed to read the record of a run, in one place: from ``schema`` (what an event is), ``record`` and ``parquet``."""

from pbt_core.record import Record, read, read_parquet
from pbt_core.schema import FORMAT, Event, RecordError

__all__ = ["FORMAT", "Event", "Record", "RecordError", "read", "read_parquet"]
