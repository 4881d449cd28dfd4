"""命令行：``deepcnn train``、``evaluate``、``predict``、``models``、``export``。

读者可以改正的事说一行，以 1 退出；用法不对以 2 退出；收到 SIGTERM、存好了断点以 75 退出，
Ctrl-C 是 130。
"""

import errno
import os
import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from deepcnn.command_line import FULL, INTERRUPTED, Command, file_trouble
from deepcnn.own.measuring import NARROW, SIX, conditions, measure, setup_for
from deepcnn.own.orders import Order
from deepcnn.own.other_commands import (
    PARTS,
    evaluate_on,
    export_onnx,
    export_to_page,
    model_table,
    predict_files,
)
from deepcnn.own.processes import team_from_environment
from deepcnn.own.stopping import Stopped
from deepcnn.own.telling import Teller
from deepcnn.own.training_command import train_own
from deepcnn.training.hardware import choose_device, describe_device
from deepcnn.training.loop import TrainingDiverged
from deepcnn.training.memory_errors import NotEnoughMemory, is_out_of_memory
from deepcnn.training.recipe import OPTIMIZERS, PRECISIONS

REFUSED = 1


def train(line: list[str]) -> int:
    """用自己的图像训练一个网络。

    图像按类别放在子文件夹里；有 train/ 与 val/ 就照它们分，没有就每一类留出 20% 作验证。
    没有给的设置由数据来定，开始之前印出来。结果在 --out 的文件夹里：曲线、混淆矩阵、错得最
    厉害的图像，最好的与最后的权重。中断之后用同样的 --out 加上 --resume 接着做。

    例如：deepcnn train resnet18 --data 花 --epochs 30
    """
    command = Command(train.__doc__, 'deepcnn train')
    command.add_argument(
        'network', metavar='网络', nargs='?', help='deepcnn models 列出全部'
    )
    command.add_argument(
        '--data', metavar='文件夹', help='图像文件夹，或 fashion_mnist'
    )
    command.add_argument(
        '--out', metavar='文件夹', help='结果写到这里（默认 runs/网络-数据）'
    )
    command.add_argument(
        '--resume', action='store_true', help='--out 里有断点就接着训练'
    )
    command.add_argument('--epochs', type=int, metavar='轮数')
    command.add_argument('--side', type=int, metavar='像素', help='送进网络的边长')
    command.add_argument('--channels', type=int, choices=[1, 3], help='1 灰度，3 彩色')
    command.add_argument(
        '--batch', type=int, metavar='张', help='小批量（全部进程合计）'
    )
    command.add_argument('--lr', type=float, metavar='数', help='学习率的峰值')
    command.add_argument('--optimizer', choices=OPTIMIZERS)
    command.add_argument('--precision', choices=PRECISIONS)
    command.add_argument(
        '--no-flip', action='store_true', default=None, help='不左右翻转（文字、数字）'
    )
    command.add_argument('--shift', type=int, metavar='像素', help='随机平移至多几像素')
    command.add_argument(
        '--crop', type=float, metavar='比例', help='随机裁剪，面积至少占几成；1 为不裁'
    )
    command.add_argument(
        '--jitter', type=float, metavar='比例',
        help='亮度、对比度、饱和度至多变几成；0 为不变',
    )  # fmt: skip
    command.add_argument(
        '--seed', type=int, metavar='数', help='随机数的种子（默认 0）'
    )
    command.add_argument(
        '--init', metavar='权重',
        help='微调：.safetensors、训练的文件夹、torchvision 的 .pth，或写 torchvision 由它下载',
    )  # fmt: skip
    command.add_argument(
        '--freeze', metavar='哪些', help='不动的层：none、stem、body 或阶段数'
    )
    command.add_argument(
        '--body-rate',
        type=float,
        metavar='倍',
        help='输出头之外的学习率乘以它（从 torchvision 的权重微调时默认 0.1）',
    )
    command.add_argument(
        '--strict',
        action='store_true',
        default=None,
        help='有读不了的图像就拒绝，不跳过',
    )
    command.add_argument(
        '--device', metavar='设备', help='auto、cuda、mps、cpu、cuda:1'
    )
    command.add_argument('--threads', type=int, metavar='个', help='解码用几个线程')
    command.add_argument(
        '--cache', metavar='文件夹', help='缩小后的副本放在哪里；none 只放在内存里'
    )
    command.add_argument(
        '--save-every', type=float, metavar='秒', help='至少多久存一次断点'
    )
    command.add_argument(
        '--tensorboard', action='store_true', help='另写 TensorBoard 的记录'
    )
    options, teller = _parsed(command, line)
    train_own(Order(**options), teller)
    return 0


def evaluate(line: list[str]) -> int:
    """看训练好的网络在一个图像文件夹上认对多少。

    默认只看验证集：没有 val/ 的文件夹，照训练时的种子留出同样的 20%。

    例如：deepcnn evaluate runs/resnet18-花 --data 花
    """
    command = Command(evaluate.__doc__, 'deepcnn evaluate')
    command.add_argument(
        'model', metavar='网络', help='训练的文件夹，或 .safetensors 文件'
    )
    command.add_argument('--data', metavar='文件夹', required=True)
    command.add_argument(
        '--part', choices=PARTS, default='val', help='看哪一部分（默认 val）'
    )
    command.add_argument('--out', metavar='文件夹', help='把混淆矩阵与错误写到这里')
    command.add_argument('--device', metavar='设备')
    options, teller = _parsed(command, line)
    judged, skipped = evaluate_on(**options, teller=teller)
    if skipped:
        teller.warn(f'跳过 {len(skipped)} 张读不了的图像，例如 {skipped[0]}')
    teller.say(f'{len(judged.labels):,} 张，准确率 {judged.accuracy:.1%}')
    for name, share in judged.per_class().items():
        teller.say(f'  {name}：{"没有图像" if share is None else f"{share:.1%}"}')
    teller.fact(
        'evaluation', images=len(judged.labels), accuracy=judged.accuracy,
        per_class=judged.per_class(), skipped=len(skipped),
    )  # fmt: skip
    return 0


def predict(line: list[str]) -> int:
    """认图像：给出每张图像最可能的几个类别。

    例如：deepcnn predict 照片.jpg --model runs/resnet18-花
    """
    command = Command(predict.__doc__, 'deepcnn predict')
    command.add_argument('paths', metavar='图像', nargs='+', help='图像文件或文件夹')
    command.add_argument(
        '--model',
        metavar='网络',
        required=True,
        help='训练的文件夹，或 .safetensors 文件',
    )
    command.add_argument(
        '--top', type=int, default=3, metavar='个', help='几个答案（默认 3）'
    )
    command.add_argument('--device', metavar='设备')
    options, teller = _parsed(command, line)
    failed = False
    for guess in predict_files(**options):
        if guess.reason:
            failed = True
            teller.warn(f'{guess.path}：{guess.reason}')
        else:
            answers = '，'.join(
                f'{name} {chance:.1%}' for name, chance in guess.answers
            )
            teller.say(f'{guess.path}  {answers}')
        teller.fact('prediction', **asdict(guess))
    return REFUSED if failed else 0


def models(line: list[str]) -> int:
    """列出全部网络：参数个数（三通道、1000 类、224 像素）、最小的边长。

    --measure 另量它们在这台机器上的快慢；没有写名字时，量书里的六个。

    例如：deepcnn models --measure；deepcnn models resnet18 resnet50 --measure --side 64
    """
    command = Command(models.__doc__, 'deepcnn models')
    command.add_argument('names', metavar='网络', nargs='*', help='只看这几个')
    command.add_argument('--measure', action='store_true', help='量快慢')
    for name, kind, metavar, told in (
        ('side', int, '像素', '边长（默认 CPU 上 96，显卡上 224）'),
        ('channels', int, '个', '通道（默认 3）'),
        ('classes', int, '个', '类别（默认 10）'),
        ('batch', int, '张', '小批量，全部进程合计（默认 32）'),
        ('seconds', float, '秒', '每一项至少量几秒（默认 2）'),
    ):
        command.add_argument(f'--{name}', type=kind, metavar=metavar, help=told)
    command.add_argument('--device', metavar='设备')
    options, teller = _parsed(command, line)
    measuring, wanted = options.pop('measure'), options.pop('names')
    if measuring:
        return _measure_models(wanted, options, teller)
    for one in model_table(wanted):
        note = '，torchvision 有训练好的权重' if one.pretrained else ''
        teller.say(
            f'{one.name:<12} {one.parameters / 1e6:7.1f} 百万个参数，边长至少 '
            f'{one.smallest_side} 像素{note}'
        )
        teller.fact('model', **asdict(one))
    return 0


def _measure_models(names: list[str], options: dict, teller: Teller) -> int:
    """每个网络一行；在 torchrun 下只有 0 号进程说话。"""
    device = choose_device(options.pop('device'))
    setup = setup_for(device, **options)
    with team_from_environment(device.type == 'cuda') as team:
        device = team.device(device)
        teller.speaks = team.leads
        where = describe_device(device)
        measuring = measure(names or SIX, setup, device, team)
        teller.say(f'{where}\n{conditions(setup, device, team)}')
        teller.fact('conditions', device=where, processes=team.size, **asdict(setup))
        for one in measuring:
            known = '' if one.accuracy is None else f'，书里 {one.accuracy:.1%}'
            mark = '*' if known and one.name == NARROW else ''
            teller.say(
                f'{one.name:<10} {one.parameters / 1e6:6.1f} 百万个参数，训练 '
                f'{one.training:,.0f} 张/秒，认 {one.predicting:,.0f} 张/秒，单张 '
                f'{one.milliseconds:,.1f} 毫秒{known}{mark}'
            )
            teller.fact('measured', **asdict(one))
        if NARROW in (names or SIX):
            teller.say('*准确率是四分之一宽的；各网络的都是书里六网对比的测试准确率')
    return 0


def export(line: list[str]) -> int:
    """把训练好的网络写成 ONNX，或「实验台」一页打得开的文件。

    .onnx：uint8 的图像 (N, C, S, S) → 各类的概率，批量可变，归一化在里面；安装了 onnxruntime
    时，用它核对与 PyTorch 的结果相同。.safetensors：灰度图像的网络，在书的「实验台」里打开。
    """
    command = Command(export.__doc__, 'deepcnn export')
    command.add_argument(
        'model', metavar='网络', help='训练的文件夹，或 .safetensors 文件'
    )
    command.add_argument(
        '--out',
        metavar='文件',
        required=True,
        help='写到这个 .onnx 或 .safetensors',
    )
    options, teller = _parsed(command, line)
    target = Path(options['out'])
    if target.suffix not in ('.onnx', '.safetensors'):
        raise ValueError(f'--out 要以 .onnx 或 .safetensors 结尾，现在是 {target}')
    if target.suffix == '.safetensors':
        path = export_to_page(options['model'], target)
        teller.say(f'写好 {path}：在书的「实验台」一页里打开它')
        teller.fact('export', path=str(path))
        return 0
    path, gap = export_onnx(options['model'], target)
    checked = (
        '没有安装 onnxruntime，没有核对'
        if gap is None
        else f'与 PyTorch 最多差 {gap:.1e}'
    )
    if gap is not None and gap > 1e-4:
        raise ValueError(
            f'{path} 与 PyTorch 的概率差到 {gap:.1e}，不要用它：请报告这个问题'
        )
    teller.say(f'写好 {path}；{checked}')
    teller.fact('export', path=str(path), difference=gap)
    return 0


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    'train': train, 'evaluate': evaluate, 'predict': predict, 'models': models,
    'export': export,
}  # fmt: skip


def _parsed(command: Command, line: list[str]) -> tuple[dict, Teller]:
    """读选项；``--quiet`` 与 ``--json`` 每个命令都有。"""
    command.add_argument('--quiet', action='store_true', help='只说出错的事')
    command.add_argument('--json', action='store_true', help='每件事印一行 JSON')
    found: Namespace = command.parse_args(line)
    options = vars(found)
    return options, Teller(options.pop('quiet'), options.pop('json'))


def usage() -> str:
    rows = (
        f'  {name:<10}{does.__doc__.splitlines()[0]}' for name, does in COMMANDS.items()
    )
    return '\n'.join(
        ['用法：deepcnn 命令 …', '', *rows, '', '每个命令的选项：deepcnn 命令 -h']
    )


NO_MEMORY = '内存或显存不够：请减小 --batch 或 --side，或先结束别的程序'


def main(line: list[str]) -> int:
    """运行一个命令，返回退出码；读者可以改正的事只说一行。"""
    if not line or line[0] in ('-h', '--help'):
        print(usage())
        return 0 if line else 2
    name, *rest = line
    if name not in COMMANDS:
        print(f'没有 {name} 这个命令：可以用 {"、".join(COMMANDS)}', file=sys.stderr)
        return 2
    try:
        return COMMANDS[name](rest)
    except Stopped as stopped:
        return _told(str(stopped), stopped.code)
    except KeyboardInterrupt:
        return _told('已中断', INTERRUPTED)
    except MemoryError:
        return _told(NO_MEMORY, REFUSED)
    except (ValueError, TrainingDiverged) as error:
        return _told(str(error), REFUSED)
    except BrokenPipeError:  # 输出接给 head 一类，它不再要了
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _told(_explained(error), REFUSED)
    except RuntimeError as error:
        if is_out_of_memory(error):
            told = isinstance(error, NotEnoughMemory)
            return _told(str(error) if told else NO_MEMORY, REFUSED)
        if os.environ.get('WORLD_SIZE', '1') == '1':
            raise
        reason = str(error).splitlines()[0]
        return _told(f'与别的进程断了联系（{reason}）：torchrun 会从断点重启', REFUSED)


def _told(text: str, code: int) -> int:
    print(' '.join(text.split('\n')), file=sys.stderr)
    return code


CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)


def _explained(error: OSError) -> str:
    """写不了、读不了的文件，一行：哪个文件，为什么，怎么办。"""
    where = f'（{error.filename}）' if error.filename else ''
    if error.errno in FULL:
        return (
            f'磁盘满了{where}：请腾出空间再试；训练用同样的 --out 加上 --resume 接着，'
            '上一份断点完好'
        )
    if error.errno in CLOSED:
        return f'没有权限{where}：请换一个写得了的文件夹（--out、--cache）；要读的，请放开它的权限'
    if error.errno == errno.ENAMETOOLONG:
        return f'名字太长{where}：请换一个短的'
    return file_trouble(error)
