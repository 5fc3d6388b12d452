"""The door: reading a raw log, and the log itself."""

from journeykit.log.concat import concat_logs
from journeykit.log.interactions import InteractionLog, label_codes
from journeykit.log.quality import check_log
from journeykit.log.read import read_log
from journeykit.log.tally import Buckets, merge_tallies

__all__ = ["Buckets", "InteractionLog", "check_log", "concat_logs", "label_codes", "merge_tallies", "read_log"]
