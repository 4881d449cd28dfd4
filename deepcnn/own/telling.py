"""命令说的话：平常是中文的几行与进度条，``--json`` 是每件事一行 JSON，``--quiet`` 只说要紧的。"""

import sys
from dataclasses import dataclass, field

from tqdm import tqdm

from deepcnn.records.store import json_text


@dataclass
class Teller:
    """``speaks`` 为假时（不是 0 号进程）一句也不说。"""

    quiet: bool = False
    json: bool = False
    speaks: bool = True
    bar: tqdm | None = field(default=None, repr=False)

    def say(self, text: str) -> None:
        """给人看的一行；进度条让开。"""
        if self.speaks and not self.quiet and not self.json:
            with tqdm.external_write_mode(sys.stdout):
                print(text, flush=True)

    def warn(self, text: str) -> None:
        """要紧的一行，写到标准错误；``--quiet`` 也说。"""
        if self.speaks:
            with tqdm.external_write_mode(sys.stderr):
                print(text, file=sys.stderr, flush=True)

    def fact(self, kind: str, **facts: object) -> None:
        """给程序读的一行。"""
        if self.speaks and self.json:
            print(json_text({'event': kind, **facts}), flush=True)

    def start_bar(
        self, total: int, title: str, done: int = 0, unit: str = '步'
    ) -> None:
        """写到标准错误的进度条，带着还要多久；不是终端时不画。"""
        hidden = self.quiet or self.json or not self.speaks or not sys.stderr.isatty()
        self.bar = tqdm(
            total=total, initial=done, desc=title, unit=unit, leave=False,
            disable=hidden, dynamic_ncols=True,
        )  # fmt: skip

    def end_bar(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def duration(seconds: float) -> str:
    """``90`` → ``1 分 30 秒``。"""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f'{hours} 小时 {minutes} 分'
    return f'{minutes} 分 {rest} 秒' if minutes else f'{rest} 秒'
