"""一次录制：训练的记录、权重与断点写到哪里。平时没有录制，训练不写任何文件。"""

from dataclasses import dataclass
from pathlib import Path

from deepcnn.records.provenance import code_version, library_versions
from deepcnn.records.store import RESULTS, ROOT, WEIGHTS, write_json
from deepcnn.training.hardware import choose_device, choose_profile, describe_device

CHECKPOINTS = ROOT / '.runs'


@dataclass(frozen=True)
class Recording:
    """``results`` 放记录（各章的在里面，实验的在它的子文件夹里），``checkpoints`` 放断点，
    ``weights`` 放 full 档的六个网络的权重。
    """

    results: Path = RESULTS
    checkpoints: Path = CHECKPOINTS
    weights: Path = WEIGHTS


_current: list[Recording] = []


def start_recording(recording: Recording | None = None) -> None:
    """此后这个进程里的训练都写进 ``recording``（默认是仓库的 results/）。

    make record 在笔记本的第一格之前调用它；``train`` 等函数也可以直接给 ``recording``。
    """
    code_version()  # 现在就记住：训练途中仓库可能有新的提交
    _current[:] = [recording or Recording()]


def current_recording() -> Recording | None:
    """正在进行的录制；没有时返回 None。"""
    return _current[0] if _current else None


def keep_record(name: str, content: dict) -> None:
    """正在录制时，连同档位、设备与版本存成 results/<name>.json；平时不写文件。"""
    if recording := current_recording():
        conditions = {
            'profile': choose_profile(),
            'device': describe_device(choose_device()),
            'versions': library_versions(),
            'commit': code_version(),
        }
        write_json(recording.results / f'{name}.json', conditions | content)
