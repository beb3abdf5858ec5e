"""Reading the record of a run: the door to ``schema`` (what an event is), ``record`` (events in memory) and ``parquet``."""

from pbt_core.record import Record, read, read_parquet
from pbt_core.schema import FORMAT, Event, RecordError

__all__ = ["FORMAT", "Event", "Record", "RecordError", "read", "read_parquet"]
