"""A Spark session, or a message that says what is missing; the only place where one is built."""

from __future__ import annotations

import logging
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from recommendations.exceptions import RecommendationError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

STACK: Final = "-Xss16m"


class SparkUnavailable(RecommendationError):
    """Spark cannot be started here; the message names what to install or to correct."""


@contextmanager
def spark_session(master: str, *, memory_mb: int = 4_096, partitions: int = 0) -> Iterator[SparkSession]:
    """Start Spark, and stop it at the end; where Spark runs already in this process, it is used and left alone.

    Parameters
    ----------
    master : str
        ``local[4]`` (threads of this machine), ``spark://host:port``, ``yarn`` or ``k8s://…``.
    memory_mb : int
        Heap of the driver, and with a local master of everything.
    partitions : int
        Of each shuffle; 0 leaves it to Spark (200, joined by size).

    Raises
    ------
    SparkUnavailable
        pyspark or Java is missing, or the master does not answer.
    """
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise SparkUnavailable("pyspark is not installed; pip install -r requirements-spark.txt") from error
    if shutil.which("java") is None:
        raise SparkUnavailable("no java on the PATH; install a Java 17 runtime (Debian: openjdk-17-jre-headless)")
    running = SparkSession.getActiveSession()
    if running is not None:
        yield running
        return
    builder = (
        SparkSession.builder.appName("recsite training")
        .master(master)
        .config("spark.driver.memory", f"{memory_mb}m")
        .config("spark.driver.maxResultSize", "0")  # tables are bounded by their width, see ``item_item.table_of``
        # The plan of ALS grows with each sweep; without a checkpoint folder, ten of them overflow the usual stack.
        .config("spark.driver.extraJavaOptions", STACK)
        .config("spark.executor.extraJavaOptions", STACK)
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
    )
    if master.startswith("local"):
        builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
    if partitions:
        builder = builder.config("spark.sql.shuffle.partitions", str(partitions))
    interrupted = signal.getsignal(signal.SIGINT)
    try:
        spark = builder.getOrCreate()
    except (PySparkException, OSError) as error:
        raise SparkUnavailable(f"Spark at {master!r} did not start: {error}") from error
    except Exception as error:  # py4j hands every failure of the JVM over as a class of its own
        raise SparkUnavailable(f"Spark at {master!r} did not start: {str(error)[:500]}") from error
    spark.sparkContext.setLogLevel("ERROR")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    try:
        yield spark
    finally:
        spark.stop()
        # Its handler of Ctrl-C cancels Spark's jobs, and fails where Spark has ended.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, interrupted)
