"""要求停下的信号：集群收回机器时的 SIGTERM，与键盘上的 Ctrl-C。

收到之后走完这一步、存下断点再停，不在一步的中间中断。再按一次 Ctrl-C 则立刻停。
"""

import signal
import threading
from types import FrameType, TracebackType

from deepcnn.command_line import INTERRUPTED

PREEMPTED = 75  # 退出码；75 是 sysexits.h 的「以后再试」


class Stopped(Exception):
    """走完一步停下了；断点存好了（``saved``）的话，接得着。命令行以 ``code`` 退出。"""

    def __init__(self, code: int, saved: bool = True) -> None:
        super().__init__(
            '停在这里，断点已存好；用同样的 --out 加上 --resume 接着训练'
            if saved
            else '停在这里，没有存断点（没有给 checkpoints）：只能从头训练'
        )
        self.code = code


class StopSignals:
    """在 with 块内记下信号，``code`` 是应当用的退出码，没有信号时是 None。

    只有主线程收得到信号，在别的线程里什么也不做。
    """

    def __init__(self) -> None:
        self.code: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> 'StopSignals':
        if threading.current_thread() is not threading.main_thread():
            return self
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._heard)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.code is not None:
            raise KeyboardInterrupt
        self.code = INTERRUPTED if number == signal.SIGINT else PREEMPTED
