"""The batches of a `DataLoader`, with what may happen to it while it is read: a worker killed, the folder gone."""

import multiprocessing.pool
import pathlib

from .labelmap import LabelMap


class Batches:
    """What `train` goes through, once an epoch. data: a `DataLoader`, or anything else that gives batches.

    MXNet's loader waits two minutes for a batch whose worker is dead, since its pool puts a new worker in the place of
    the dead one and forgets the batch. Here the workers are looked at twice a second while a batch is waited for.
    """

    def __init__(self, data):
        self.data, self.pool = data, getattr(data, "_worker_pool", None)
        if self.pool and self.pool._state != multiprocessing.pool.RUN:
            raise ValueError("the loader's workers have ended after an error: make the loader anew (utils.data_loader)")
        classes = getattr(getattr(data, "_dataset", None), "classes", None)
        self.classes = classes if isinstance(classes, LabelMap) else None
        self._workers = list(self.pool._pool) if self.pool else []

    def __len__(self):
        return len(self.data)

    def __iter__(self):
        try:
            yield from self._watched() if self._workers else self.data
        except FileNotFoundError:
            root = getattr(getattr(self.data, "_dataset", None), "root", None)
            if root is None or pathlib.Path(root).exists():
                raise  # one file: the error says which
            raise FileNotFoundError(
                f"{root}: the folder of the training pictures is gone. Bring it back (a disk, a network drive?) and "
                "make the loader anew; a training with checkpoint= then goes on after its last whole epoch"
            ) from None
        except (ConnectionError, EOFError):  # a dead worker's batch was fetched
            from .shared_memory import check_workers

            check_workers(self)
            raise

    def _watched(self):
        if self.data._iter is None:
            self.data.refresh()
        batches, self.data._iter = self.data._iter, None  # as DataLoader.__iter__ does
        while True:
            left = self.data._timeout
            waiting = batches._data_buffer.get(batches._rcvd_idx)
            while waiting is not None and left > 0 and not waiting.ready():
                waiting.wait(0.5)
                left -= 0.5
                self._all_alive()
            try:
                batch = next(batches)
            except StopIteration:
                return
            yield batch

    def _all_alive(self):
        for worker in self._workers:
            if getattr(worker, "exitcode", None) is not None:
                _end(self.pool)
                if worker.exitcode < 0:
                    from .shared_memory import check_death

                    check_death(-worker.exitcode)
                how = f"signal {-worker.exitcode}" if worker.exitcode < 0 else f"exit code {worker.exitcode}"
                raise RuntimeError(
                    f"a worker of the loader died ({how}), and its batch with it: often memory ran out. Take fewer "
                    "workers (num_workers=0 needs none) or smaller batches, and make the loader anew; a training "
                    "with checkpoint= then goes on after its last whole epoch"
                )


def _end(pool):
    """End a pool of which a worker died, maybe with a lock in its hands that the pool's own end would wait for."""
    pool._worker_handler._state = multiprocessing.pool.TERMINATE  # no new workers
    pool._change_notifier.put(None)
    pool._worker_handler.join()
    for worker in pool._pool:
        worker.kill()
        worker.join()
    for lock in pool._inqueue._rlock, pool._outqueue._wlock:
        lock.acquire(block=False)  # free now, or held by the dead: free after the next line
        lock.release()
    pool.terminate()
