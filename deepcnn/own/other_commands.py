"""``deepcnn evaluate``、``predict``、``models``、``export``。"""

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from deepcnn.anatomy.layers import count_parameters
from deepcnn.anatomy.page_file import export_page
from deepcnn.data.decoding import BadImage, decode_many
from deepcnn.data.fashion_mnist import load_dataset
from deepcnn.data.image_folders import (
    ImageFile,
    ImageFolder,
    find_images,
    images_under,
    require_outside,
    shown,
)
from deepcnn.models.registry import create, names
from deepcnn.own.feeding import Feed, FileImages, Standard, TensorImages
from deepcnn.own.fine_tuning import PUBLISHED
from deepcnn.own.kept import KeptFacts, load_kept, probabilities, read_for
from deepcnn.own.orders import FASHION
from deepcnn.own.report import Judged, write_report
from deepcnn.own.run_folder import RunFolder
from deepcnn.own.telling import Teller
from deepcnn.training.hardware import choose_device

PARTS = ('val', 'train', 'all')
CHUNK = 64


# ---- predict ---------------------------------------------------------------------


@dataclass(frozen=True)
class Guess:
    """一张图像的前几个答案，概率从大到小；读不了时是 ``reason``。"""

    path: str
    answers: tuple[tuple[str, float], ...] = ()
    reason: str = ''


def predict_files(
    model: str, paths: Sequence[str], top: int = 3, device: str | None = None
) -> Iterator[Guess]:
    """逐张认图像；给的是文件夹时，认里面的每一张。"""
    if top < 1:
        raise ValueError(f'--top 要是正整数，现在是 {top}')
    net, facts = load_kept(model)
    net.to(choose_device(device))
    for path in every_file(paths):
        try:
            image = read_for(facts, path)
        except BadImage as bad:
            yield Guess(shown(path), reason=str(bad))
            continue
        [chances] = probabilities(net, facts, image)
        best = chances.argsort(descending=True)[:top].tolist()
        answers = tuple((facts.class_names[one], chances[one].item()) for one in best)
        yield Guess(shown(path), answers)


def every_file(paths: Sequence[str]) -> Iterator[str]:
    """文件照原样，文件夹换成里面的图像；没有的抛出 ValueError。"""
    for path in paths:
        if Path(path).is_dir():
            found = images_under(Path(path))
            if not found:
                raise ValueError(f'{shown(path)} 里没有图像')
            yield from found
        elif Path(path).exists():
            yield path
        else:
            raise ValueError(f'没有 {shown(path)} 这个文件')


# ---- evaluate --------------------------------------------------------------------


def evaluate_on(
    model: str | Path,
    data: str,
    part: str = 'val',
    out: str | None = None,
    device: str | None = None,
    threads: int = 4,
    teller: Teller | None = None,
) -> tuple[Judged, list[str]]:
    """``model`` 在 ``data`` 的验证集（或 ``part``）上的结果，与跳过的图像。

    ``out`` 是写报告的文件夹，要是新的。类别对不上、一张也读不了时抛出 ValueError。留出的验证集
    里可能有训练过的图像时，由 ``teller`` 说一行。
    """
    net, facts = load_kept(model)
    target = RunFolder.new(Path(out), '', '') if out else None
    if target and data != FASHION:
        require_outside(target.path, data, '--out')
    net.to(choose_device(device))
    if data == FASHION:
        images, files, skipped = _fashion(facts, part), (), []
        rows = torch.arange(len(images)).split(CHUNK)
        scores = [probabilities(net, facts, one) for one, _ in images.batches(rows)]
    else:
        seed = _seed_of(model) if facts.seed is None else facts.seed
        found = find_images(data, seed, needs_test=part == 'val')
        digest = facts.data_digest or _settings_of(model).get('data_digest')
        wanted = _files_for(facts, found, part)
        if part == 'val' and found.held_out and found.digest() != digest:
            (teller or Teller()).warn(
                f'{"图像与训练时不同" if digest else "不知道训练时用的是哪些图像"}，这里的验证集'
                '可能含训练过的图像；全是没有训练过的，请用 --part all'
            )
        scores, good, skipped = _scores_of_files(net, facts, wanted, threads)
        images = FileImages(good, facts.image_size, facts.in_channels, threads)
        files = tuple(one.path for one in good)
    if not scores:
        raise ValueError(f'{data} 里没有一张读得了的图像')
    judged = Judged(torch.cat(scores), images.labels, facts.class_names)
    if target:
        feed = Feed(facts.standard, facts.class_names, images, images, files)
        write_report(target.path, facts.network, None, judged, feed)
    return judged, skipped


def _seed_of(model: str | Path) -> int:
    """训练时分出验证集用的种子，记在 ``model`` 的文件夹里；不知道时是 0。"""
    before = _settings_of(model)
    return before['recipe']['seeds'][0] if before else 0


def _settings_of(model: str | Path) -> dict:
    path = Path(model)
    folder = RunFolder(path if path.is_dir() else path.parent)
    return folder.settings() if folder.has_settings() else {}


def _fashion(facts: KeptFacts, part: str) -> TensorImages:
    """``val`` 是它的测试集，训练时用来验证的就是它；没有两部分合在一起的。"""
    if part not in ('val', 'train'):
        raise ValueError(
            f'--data fashion_mnist 的 --part 只能是 val、train，不能是 {part}'
        )
    whole = load_dataset()
    if facts.class_names != whole.class_names or facts.in_channels != 1:
        raise ValueError('这个网络不是在 fashion_mnist 上训练的，类别对不上')
    return TensorImages(whole.test if part == 'val' else whole.train)


def _files_for(facts: KeptFacts, found: ImageFolder, part: str) -> list[ImageFile]:
    """要评价的文件；标签换成网络的次序。"""
    place = {name: label for label, name in enumerate(facts.class_names)}
    if strange := [name for name in found.class_names if name not in place]:
        raise ValueError(
            f'{shown(found.root)} 里有网络不认识的类别：{"、".join(strange)}；它认识的是 '
            f'{"、".join(facts.class_names)}'
        )
    chosen = {'train': found.train, 'val': found.test, 'all': found.train + found.test}
    own = [place[name] for name in found.class_names]
    return [ImageFile(one.path, own[one.label]) for one in chosen[part]]


def _scores_of_files(
    net: nn.Module, facts: KeptFacts, files: list[ImageFile], threads: int
) -> tuple[list[Tensor], list[ImageFile], list[str]]:
    """边解码边算，不留图像：各块的概率，读得了的文件，读不了的各一行。"""
    scores, good, skipped, chunk = [], [], [], []
    paths = [one.path for one in files]
    decoded = decode_many(paths, facts.image_size, facts.in_channels, threads)
    for one, image in zip(files, decoded, strict=True):
        if isinstance(image, BadImage):
            skipped.append(f'{shown(one.path)}：{image}')
            continue
        good.append(one)
        chunk.append(image)
        if len(chunk) == CHUNK:
            scores.append(probabilities(net, facts, torch.stack(chunk)))
            chunk.clear()
    if chunk:
        scores.append(probabilities(net, facts, torch.stack(chunk)))
    return scores, good, skipped


# ---- models ----------------------------------------------------------------------


@dataclass(frozen=True)
class ModelFacts:
    """一个网络：参数个数、最小的边长、torchvision 有没有它的权重。"""

    name: str
    parameters: int
    smallest_side: int
    pretrained: bool


def model_table(wanted: Sequence[str] = ()) -> list[ModelFacts]:
    """``wanted``（没有写时是全部）的大小，按 3 个通道、1000 类与 224 像素。"""
    rows = []
    for name in wanted or names():
        with torch.device('meta'):
            net = create(name, 3, 1000)
        known = name in PUBLISHED
        rows.append(ModelFacts(name, count_parameters(net), net.smallest_input, known))
    return rows


# ---- export ----------------------------------------------------------------------


class WithPreparation(nn.Module):
    """归一化也在里面：uint8 (N, C, side, side) → 各类的概率 float (N, K)。"""

    def __init__(self, net: nn.Module, standard: Standard) -> None:
        super().__init__()
        self.net = net
        for name in ('mean', 'std'):
            values = torch.tensor(getattr(standard, name), dtype=torch.float32)
            self.register_buffer(name, 255 * values.view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.net((images.float() - self.mean) / self.std).softmax(1)


def export_onnx(model: str, target: Path) -> tuple[Path, float | None]:
    """写成批量可变的 ONNX，返回路径，以及 onnxruntime 与 PyTorch 的概率最多差多少。

    没有安装 onnxruntime 时差是 None；没有安装 onnx，或 ``target`` 已经有了时抛出 ValueError。
    """
    missing = [
        one for one in ('onnx', 'onnxscript') if not importlib.util.find_spec(one)
    ]
    if missing:
        raise ValueError(
            f'没有安装 {"、".join(missing)}：请先 pip install {" ".join(missing)}'
        )
    _require_new(target)
    net, facts = load_kept(model)
    whole = WithPreparation(net, facts.standard).eval()
    shape = (2, facts.in_channels, facts.image_size, facts.image_size)
    example = torch.randint(0, 256, shape, dtype=torch.uint8)
    batch = torch.export.Dim('batch')
    target.parent.mkdir(parents=True, exist_ok=True)
    program = torch.onnx.export(
        whole, (example,), input_names=['images'], output_names=['probabilities'],
        dynamic_shapes={'images': {0: batch}}, dynamo=True, verbose=False,
    )  # fmt: skip
    program.save(str(target))
    return target, _difference(target, whole, example)


def export_to_page(model: str, target: Path) -> Path:
    """写成「实验台」一页打得开的文件，返回路径；网页不会算的网络、彩色的抛出 ValueError。"""
    _require_new(target)
    net, facts = load_kept(model)
    target.parent.mkdir(parents=True, exist_ok=True)
    return export_page(net, target, facts, facts.image_size, facts.network)


def _require_new(target: Path) -> None:
    if target.exists():
        raise ValueError(f'{target} 已经有了，不覆盖：请用 --out 换一个名字')


@torch.inference_mode()
def _difference(target: Path, whole: nn.Module, example: Tensor) -> float | None:
    """批量为 1、2、5 时的概率最多差多少。"""
    if not importlib.util.find_spec('onnxruntime'):
        return None
    import onnxruntime

    session = onnxruntime.InferenceSession(
        str(target), providers=['CPUExecutionProvider']
    )
    worst = 0.0
    for count in (1, 2, 5):
        images = example[:1].expand(count, -1, -1, -1).contiguous()
        images[-1] = 255 - images[-1]
        [found] = session.run(None, {'images': images.numpy()})
        gap = (torch.from_numpy(found) - whole(images)).abs().max().item()
        worst = max(worst, gap)
    return worst
