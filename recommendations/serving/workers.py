"""The one bridge from asyncio to arithmetic: a small pool of threads; ONNX Runtime releases the GIL in them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from django.conf import settings

from recommendations.core.deadline import Deadline


@dataclass(slots=True)
class Workers:
    """A pool that is made when it is first used, and may be stopped and used again."""

    pool: ThreadPoolExecutor | None = field(default=None)

    def get(self) -> ThreadPoolExecutor:
        """Return the pool."""
        if self.pool is None:
            self.pool = ThreadPoolExecutor(settings.INFERENCE_THREADS, thread_name_prefix="pipeline")
        return self.pool

    def stop(self) -> None:
        """End the threads; what waits for one is dropped."""
        pool, self.pool = self.pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)

    async def done(self, work: Callable[[], None], deadline: Deadline) -> bool:
        """Do this on a thread, and return whether it was done before the deadline; it is not ended when it is late."""
        future = asyncio.get_running_loop().run_in_executor(self.get(), work)
        try:
            async with asyncio.timeout(deadline.left_s):
                await asyncio.shield(future)
        except TimeoutError:
            return False
        return True


workers: Final = Workers()
