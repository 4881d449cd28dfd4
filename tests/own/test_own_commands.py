"""命令行：从文件夹训练，再认、再评价；说的话、退出码、拒绝什么。"""

import csv
import errno
import json
import os
import re
import signal
import sys
from pathlib import Path

import matplotlib
import pytest
import safetensors
import torch
from photo_folders import COLOURS, make_photos, photo
from PIL import Image
from two_processes import needs_fork

from deepcnn.data.fashion_mnist import load_dataset
from deepcnn.own import Order, load_kept, other_commands, report, train_own
from deepcnn.own.commands import COMMANDS, main
from deepcnn.own.kept import KeptFacts, keep, probabilities
from deepcnn.own.long_run import LongRun
from deepcnn.own.run_folder import RunFolder
from deepcnn.own.sealed import seal, unseal
from deepcnn.own.training_command import Follower
from deepcnn.training.memory_errors import NotEnoughMemory

matplotlib.use('Agg')
CLASSES = sorted(COLOURS)
TRAIN = ['train', 'densenet', '--epochs', '2', '--batch', '6', '--precision', 'fp32']
pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture(scope='module')
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``花`` 是图像，``r`` 是训练好的，``out.txt`` 是训练时说的话。"""
    place = tmp_path_factory.mktemp('work')
    make_photos(place / '花', per_class=8)
    (place / '花' / '红花' / '坏.jpg').write_bytes(b'not an image')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        with open('out.txt', 'w', encoding='utf-8') as out:
            patch.setattr('sys.stdout', out)
            assert main([*TRAIN, '--data', '花', '--out', 'r']) == 0
    return place


def rows_of(path: Path) -> list[list[str]]:
    with open(path, encoding='utf-8-sig', newline='') as text:
        return list(csv.reader(text))


def test_it_says_what_it_will_do_before_it_starts(here: Path) -> None:
    told = (here / 'out.txt').read_text('utf-8')
    before, _, after = told.partition('第 1/2 轮')
    assert '花，3 类，训练 19 张，验证 5 张；每一类留出 20% 作验证（种子 0）' in before
    assert '边长：32 像素（较短一边的中位数是 12）' in before
    assert '通道：3（图像有彩色的）' in before
    assert '小批量：6 张（给定）' in before and '轮数：2（给定）' in before
    assert re.search(r'学习率：0\.\d+（照那一章', before)
    assert '还要约' in after and '验证准确率' in after


def test_the_folder_holds_everything(here: Path) -> None:
    names = {path.name for path in Path('r').iterdir()}
    assert names >= {
        'best.safetensors', 'last.safetensors', 'checkpoints', 'run.json', 'report.json',
        'skipped.txt', 'curves.csv', 'curves.svg', 'curves.png', 'confusion.csv',
        'confusion.svg', 'confusion.png', 'mistakes.csv',
    }  # fmt: skip
    head, *epochs = rows_of(Path('r/curves.csv'))
    assert head[:4] == ['轮', '训练损失', '训练准确率', '验证准确率']
    assert [row[0] for row in epochs] == ['1', '2']
    told = json.loads(Path('r/report.json').read_text('utf-8'))
    assert set(told['per_class']) == set(CLASSES) and told['skipped'] == 1
    assert '坏.jpg' in Path('r/skipped.txt').read_text('utf-8')
    head, *table = rows_of(Path('r/confusion.csv'))
    assert head[1:] == CLASSES and [row[0] for row in table] == CLASSES
    counts = torch.tensor([[int(cell) for cell in row[1:]] for row in table])
    assert counts.sum() == 5  # 留出的六张里有一张是坏的
    assert counts.trace() / 5 == pytest.approx(told['accuracy'])
    mistakes = rows_of(Path('r/mistakes.csv'))[1:]
    assert len(mistakes) == 5 - counts.trace()
    assert Path('r/worst.png').exists() == bool(mistakes)
    with Image.open('r/curves.png') as image:
        assert image.width > 500


def test_the_weights_alone_are_enough_to_predict(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = tmp_path / '别处.safetensors'
    alone.write_bytes(Path('r/best.safetensors').read_bytes())
    net, facts = load_kept(alone)
    assert facts.class_names == tuple(CLASSES)
    assert (facts.image_size, facts.in_channels) == (32, 3) and not net.training
    image = tmp_path / '照片.png'
    photo(COLOURS['绿叶'], 30, 5).save(image)
    assert (
        main(['predict', str(image), '--model', str(alone), '--json', '--top', '9'])
        == 0
    )
    told = json.loads(capsys.readouterr().out)
    answers = dict(told['answers'])
    assert set(answers) == set(CLASSES) and sum(answers.values()) == pytest.approx(1)
    assert list(answers.values()) == sorted(answers.values(), reverse=True)
    assert main(['predict', '花', '--model', 'r']) == 1  # 有一张坏的
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 24 and '坏.jpg：' in err


def test_evaluation_agrees_with_the_report(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = json.loads(Path('r/report.json').read_text('utf-8'))
    line = ['evaluate', 'r', '--data', '花', '--json', '--out', str(tmp_path / 'e')]
    assert main(line) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told['accuracy'] == pytest.approx(before['accuracy'])
    assert told['per_class'] == pytest.approx(before['per_class'])
    assert (told['images'], told['skipped']) == (5, 1) and '坏.jpg' in err
    assert rows_of(tmp_path / 'e' / 'confusion.csv') == rows_of(Path('r/confusion.csv'))
    assert main(['evaluate', 'r', '--data', '花', '--part', 'all']) == 0
    assert '24 张，准确率' in capsys.readouterr().out
    assert main(line) == 1  # 报告的文件夹也不覆盖
    assert '不覆盖' in capsys.readouterr().err


def test_the_seed_of_a_file_is_that_of_its_folder(tmp_path: Path) -> None:
    """给出文件夹与给出其中的文件，留出的是同样的验证集。"""
    RunFolder(tmp_path).write_settings({'recipe': {'seeds': [7]}})
    weights = tmp_path / 'best.safetensors'
    weights.touch()
    assert [other_commands._seed_of(one) for one in (tmp_path, weights)] == [7, 7]
    assert other_commands._seed_of(tmp_path / '没有' / 'a.safetensors') == 0


def test_images_that_changed_since_training_are_told(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """重新分出的验证集里可能有训练过的图像；拷走的权重也记得训练时的图像。"""
    alone, said = tmp_path / 'best.safetensors', '这里的验证集可能含训练过的图像'
    alone.write_bytes(Path('r/best.safetensors').read_bytes())
    new = [Path('花', name, '新.png') for name in CLASSES]
    for model in ('r', str(alone)):
        assert main(['evaluate', model, '--data', '花']) == 0
        assert said not in capsys.readouterr().err
    for path in new:
        photo((1, 1, 1), 9, 0).save(path)
    try:
        for part, told in (('val', True), ('train', False), ('all', False)):
            assert main(['evaluate', 'r', '--data', '花', '--part', part]) == 0
            assert (said in capsys.readouterr().err) == told
    finally:
        for path in new:
            path.unlink()
    for part in ('train', 'val'):
        make_photos(tmp_path / '分好' / part, per_class=1)
    assert main(['evaluate', 'r', '--data', str(tmp_path / '分好')]) == 0
    assert said not in capsys.readouterr().err


def test_copied_weights_hold_out_what_they_were_not_trained_on(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """种子不是 0；从前的文件没有记种子，照旧读得了。"""
    train_own(Order('densenet', '花', out='seven', epochs=1, batch=6, seed=7))
    before = json.loads(Path('seven/report.json').read_text('utf-8'))
    alone = tmp_path / 'best.safetensors'
    alone.write_bytes(Path('seven/best.safetensors').read_bytes())
    tensors, facts = unseal(alone)
    seen = []
    for left_out in ((), ('seed', 'data_digest')):
        for name in left_out:
            facts.pop(name, None)
        seal(alone, tensors, facts)
        capsys.readouterr()
        assert main(['evaluate', str(alone), '--data', '花', '--json']) == 0
        out, err = capsys.readouterr()
        seen.append((json.loads(out)['per_class'], '可能含训练过的' in err))
    assert seen[0] == (before['per_class'], False) and seen[1][1]


def test_one_image_a_class_can_be_evaluated_whole(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_photos(tmp_path / '各一张', per_class=1)
    line = ['evaluate', 'r', '--data', str(root)]
    assert main([*line, '--part', 'all']) == 0
    assert '3 张，准确率' in capsys.readouterr().out
    refused(line, '留不出验证集', capsys)
    inside = [*line, '--part', 'all', '--out', str(root / '报告')]
    refused(inside, '报告 在图像文件夹', capsys)
    assert len(list(root.iterdir())) == 3


def test_each_part_of_fashion_mnist_is_the_one_asked_for() -> None:
    whole = load_dataset()
    standard = whole.mean, whole.std
    facts = KeptFacts('densenet', 1, 28, whole.class_names, *standard, '', 0, 1, {})
    for part, images in (('val', whole.test), ('train', whole.train)):
        assert torch.equal(other_commands._fashion(facts, part).images, images.images)
    with pytest.raises(ValueError, match='--part 只能是 val、train，不能是 all'):
        other_commands._fashion(facts, 'all')


def test_three_lines_of_python_do_the_same(here: Path) -> None:
    outcome = train_own(
        Order('densenet', '花', out='p', epochs=2, batch=6, precision='fp32')
    )
    one, other = (unseal(Path(name) / 'last.safetensors')[0] for name in 'rp')
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert outcome.folder == Path('p') and len(outcome.run.train_loss) == 2


def test_fine_tuning_starts_from_a_run_and_leaves_the_frozen_alone(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ['train', 'densenet', '--data', '花', '--out', 'f', '--epochs', '1']
    assert main([*line, '--batch', '6', '--init', 'r', '--freeze', 'body']) == 0
    told = capsys.readouterr().out
    assert '出发：r；全部照抄' in told and '微调取三分之一' in told
    assert told.count('学习率乘以 1\n') == 1
    before, after = (
        unseal(Path(name))[0] for name in ('r/best.safetensors', 'f/last.safetensors')
    )
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    # 输出头里还有批量归一化：它不在不动的层里
    assert moved and all(name.startswith('head.') for name in moved)
    assert load_kept('f')[1].mean == load_kept('r')[1].mean


def test_resuming_needs_the_folder_only(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path('r/last.safetensors').read_bytes()
    assert main(['train', '--out', 'r', '--resume']) == 0
    assert '前 2 轮与其后的 0 步此前已完成' in capsys.readouterr().out
    assert Path('r/last.safetensors').read_bytes() == before
    assert main([*TRAIN, '--data', '花', '--out', 'r', '--resume']) == 0
    for change, said in (
        (['--epochs', '9'], 'epochs 这次是 9，上次是 2'),
        (['--no-flip'], 'no_flip 这次是 True，上次是 没有给'),
        (['--data', '别的'], 'data 这次是'),
    ):
        assert main(['train', '--out', 'r', '--resume', *change]) == 1
        assert said in capsys.readouterr().err
    photo((1, 1, 1), 9, 0).save('花/红花/新.png')
    try:
        assert main(['train', '--out', 'r', '--resume']) == 1
        assert '图像与上次不同' in capsys.readouterr().err
    finally:
        Path('花/红花/新.png').unlink()
    assert Path('r/last.safetensors').read_bytes() == before


def test_a_preempted_run_says_so_and_goes_on(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """集群收回机器：存好断点，以 75 退出；同一条命令加 --resume 接着做。"""
    line = [*TRAIN, '--data', '花', '--out', 's', '--resume', '--quiet']
    with monkeypatch.context() as patch:

        def preempted(watch: Follower, long_run: LongRun) -> None:
            if long_run.done_steps == 2:
                signal.raise_signal(signal.SIGTERM)

        patch.setattr(Follower, 'step', preempted)
        assert main(line) == 75
    told = capsys.readouterr().err.splitlines()[-1]
    assert told == '停在这里，断点已存好；用同样的 --out 加上 --resume 接着训练'
    assert not Path('s/last.safetensors').exists()
    assert main(line) == 0
    one, other = (Path(name) / 'last.safetensors' for name in 'rs')
    assert one.read_bytes() == other.read_bytes()


def test_every_line_of_json_is_json_and_quiet_is_quiet(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path('runs/densenet-花').mkdir(parents=True)  # 占用了：没有给 --out 就换一个名字
    line = ['train', 'densenet', '--data', '花', '--epochs', '2', '--batch', '6']
    assert main([*line, '--side', '32', '--cache', 'none', '--json']) == 0
    events = [json.loads(one) for one in capsys.readouterr().out.splitlines()]
    assert [one['event'] for one in events] == ['start', 'epoch', 'epoch', 'end']
    assert (
        events[-1]['folder'] == 'runs/densenet-花-2'
        and 0 <= events[-1]['accuracy'] <= 1
    )
    assert events[0]['recipe']['batch_size'] == 6
    assert main(['predict', '花/红花/0.jpg', '--model', 'r', '--quiet']) == 0
    assert capsys.readouterr().out == ''


def test_models_are_listed_with_their_sizes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    some = ('alexnet', 'nin', 'resnet18', 'densenet121')  # 全部的要两秒
    monkeypatch.setattr(other_commands, 'names', lambda: some)
    assert main(['models', '--json']) == 0
    rows = [json.loads(one) for one in capsys.readouterr().out.splitlines()]
    found = {row['name']: row for row in rows}
    assert found['resnet18']['parameters'] == 11_689_512
    assert found['alexnet']['smallest_side'] == 63
    assert found['densenet121']['pretrained'] and not found['nin']['pretrained']


def refused(line: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """以 1 退出，标准错误上最后是一行中文。"""
    assert main(line) == 1, line
    out, err = capsys.readouterr()
    assert len(err.splitlines()) == 1 and re.search(said, err), err
    assert 'Traceback' not in err and out == ''


def test_nothing_is_overwritten(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in Path('r').rglob('*')}
    refused([*TRAIN, '--data', '花', '--out', 'r'], '不覆盖：.*--out.*--resume', capsys)
    refused([*TRAIN, '--data', '花', '--out', 'out.txt'], '不覆盖', capsys)
    assert {path: path.stat().st_mtime_ns for path in Path('r').rglob('*')} == before


@pytest.mark.parametrize(
    ('line', 'said'),
    [
        (['train'], '请写出网络与数据'),
        (['train', 'resnet18'], '请写出网络与数据'),
        (['train', '--resume'], '--resume 要与 --out 一起用'),
        (['train', '--resume', '--out', '无'], '没有 run.json'),
        (['train', 'resnet', '--data', '花'], '没有叫 .resnet. 的网络：请从 alexnet'),
        (['train', 'resnet18', '--data', '无'], '没有这个文件夹'),
        (['train', 'resnet18', '--data', '花/红花'], '没有子文件夹'),
        (['train', 'resnet18', '--data', '花', '--side', '16'], '至少要 32 像素'),
        (['train', 'resnet18', '--data', '花', '--strict'], r'坏\.jpg：.*--strict'),
        (['train', 'resnet18', '--data', '花', '--batch', '99'], '--batch'),
        (['train', 'resnet18', '--data', '花', '--lr', '-1'], 'lr 必须大于 0'),
        (['train', 'resnet18', '--data', '花', '--epochs', '0'], 'epochs 必须大于 0'),
        (['train', 'resnet18', '--data', '花', '--threads', '0'], '--threads'),
        (['train', 'resnet18', '--data', '花', '--seed', '-1'], '--seed 要在 0～4294967295'),
        (['train', 'resnet18', '--data', '花', '--seed', '9' * 20], '--seed 要在 0～'),
        (['train', 'resnet18', '--data', '花', '--device', 'tpu'], '不认识的设备'),
        (['train', 'resnet18', '--data', '花', '--freeze', '9'], '--freeze 不能是'),
        (['train', 'resnet18', '--data', '花', '--body-rate', '2'], '--body-rate'),
        (['train', 'resnet18', '--data', '花', '--init', '无'], '没有 无：--init 要是'),
        (['train', 'resnet18', '--data', '花', '--tensorboard'], '没有安装 tensorboard'),
        (['train', 'nin', '--data', 'fashion_mnist', '--channels', '3'], '灰度的'),
        (['train', 'resnet18', '--data', '花', '--cache', 'out.txt/x'], '文件出错'),
        (['train', 'resnet18', '--data', '花', '--out', 'out.txt/x'], '文件出错'),
        (['predict', '花/红花/0.jpg', '--model', '无'], '没有 无'),
        (['predict', '无.png', '--model', 'r'], r'没有 无\.png 这个文件'),
        (['predict', '花/红花/0.jpg', '--model', 'r', '--top', '0'], '--top'),
        (['predict', '花/红花/0.jpg', '--model', 'out.txt'], '用不了：不是完整的'),
        (['predict', '花/红花/0.jpg', '--model', 'plain.safetensors'], '不是 deepcnn'),
        (['predict', '花/红花/0.jpg', '--model', 'point.safetensors'], '不是训练好的'),
        (['evaluate', 'r', '--data', '狗'], '不认识的类别：狗一'),
        (['evaluate', 'r', '--data', 'fashion_mnist'], '类别对不上'),
        (['export', 'r', '--out', 'a.onnx'], '没有安装 onnx、onnxscript：'),
        (['export', '无', '--out', 'a.onnx'], '没有 无'),
        (['export', 'r', '--out', 'a.pt'], '要以 .onnx 或 .safetensors 结尾'),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_one_line(
    line: list[str], said: str, here: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if said.startswith('没有安装'):
        monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    if '狗' in line:
        make_photos(here / '狗', per_class=2)
        for name, other in zip(CLASSES, ('狗一', '狗二', '狗三'), strict=True):
            if (here / '狗' / name).exists():
                (here / '狗' / name).rename(here / '狗' / other)
    safetensors.torch.save_file({'a': torch.ones(1)}, 'plain.safetensors')
    seal(Path('point.safetensors'), {'a': torch.ones(1)}, {'items': []})
    made = set(here.iterdir()) | {here / 'runs'}
    refused(line, said, capsys)
    assert set(here.iterdir()) <= made | {here / '.images', here / '狗'}


def test_the_onnx_file_agrees_with_pytorch(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """批量可变，归一化在里面。"""
    import onnxruntime

    target = tmp_path / '新' / '网络.onnx'
    assert main(['export', 'r', '--out', str(target), '--json']) == 0
    *_, told = capsys.readouterr().out.splitlines()
    assert json.loads(told)['difference'] < 1e-5
    net, facts = load_kept('r')
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (3, 3, 32, 32), generator=generator).to(torch.uint8)
    session = onnxruntime.InferenceSession(str(target), providers=['CPUExecutionProvider'])
    [found] = session.run(None, {'images': images.numpy()})
    expected = probabilities(net, facts, images)
    torch.testing.assert_close(torch.from_numpy(found), expected, rtol=1e-4, atol=1e-5)
    refused(['export', 'r', '--out', str(target)], '已经有了，不覆盖', capsys)


def test_a_grey_network_is_written_for_the_laboratory(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """写成的文件里有算子、边长、均值与类别；彩色的网络说明为什么不行，不写文件。"""
    names = ('猫', '狗', '鸟')
    facts = KeptFacts('densenet', 1, 32, names, (0.3,), (0.4,), '宠物', 0.5, 1, {})
    keep(Path('grey.safetensors'), facts.build(), facts)
    target = tmp_path / '新' / '网络.safetensors'
    assert main(['export', 'grey.safetensors', '--out', str(target)]) == 0
    with safetensors.safe_open(target, 'pt') as opened:
        page = json.loads(opened.metadata()['page'])
    assert page['classes'] == list(names) and page['side'] == 32
    assert (page['mean'], page['std'], page['title']) == (0.3, 0.4, 'densenet')
    capsys.readouterr()
    refused(['export', 'grey.safetensors', '--out', str(target)], '不覆盖', capsys)
    colour = tmp_path / '彩色.safetensors'
    refused(['export', 'r', '--out', str(colour)], '只有灰度图像', capsys)
    assert not colour.exists()


@needs_fork
def test_a_full_disk_is_told_and_training_can_go_on(here: Path) -> None:
    """进程写不了大于 8 MB 的文件：第一份断点放不下，权重放得下。"""
    resource = pytest.importorskip('resource')
    line = [*TRAIN, '--data', '花', '--out', 'full']
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8_000_000, 8_000_000))
        with open('full.txt', 'w', encoding='utf-8') as sys.stderr:
            code = main([*line, '--quiet'])
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    told = Path('full.txt').read_text('utf-8').splitlines()
    assert code == 1 and len(told) == 2 and '坏.jpg' in told[0]
    assert re.match('磁盘满了（.*step.*）：请腾出空间.*--resume', told[1])
    assert not [one for one in Path('full').rglob('*') if one.suffix == '.part']
    assert main([*line, '--resume', '--quiet']) == 0
    assert (
        Path('full/last.safetensors').read_bytes()
        == Path('r/last.safetensors').read_bytes()
    )


def test_a_full_disk_is_told_when_exporting(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resource = pytest.importorskip('resource')
    facts = KeptFacts('densenet', 1, 32, ('猫', '狗'), (0.3,), (0.4,), '', 0.5, 1, {})
    keep(Path('large.safetensors'), facts.build(), facts)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        target = str(tmp_path / '网络.safetensors')
        refused(['export', 'large.safetensors', '--out', target], '磁盘满了', capsys)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != 'linux', reason='别的系统的文件名总是文字')
def test_folders_named_in_gbk_are_trained_on(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    make_photos(tmp_path / '花', per_class=4)
    data, out = (os.fsdecode(name.encode('gbk')) for name in ('花园', '结果'))
    (tmp_path / '花').rename(tmp_path / data)
    monkeypatch.chdir(tmp_path)
    line = ['train', 'densenet', '--data', data, '--epochs', '1', '--batch', '6']
    assert main([*line, '--out', 'r']) == 0
    assert main([*line, '--out', 'r', '--resume', '--json']) == 0
    capsys.readouterr()
    for option in ('--out', '--cache'):
        refused([*line, option, out], f'{option} 的名字 结果 不是 UTF-8', capsys)


@pytest.mark.parametrize(
    ('number', 'said'),
    [
        (errno.EROFS, '没有权限（/x）：请换一个写得了的文件夹'),
        (errno.EACCES, '没有权限'),
        (errno.ENOSPC, '磁盘满了'),
        (errno.EIO, '文件出错（/x）：磁盘或网络盘'),
        (errno.ENOTDIR, '文件出错（/x）：路径里有一段是文件'),
        (errno.EISDIR, '它是文件夹'),
    ],
)
def test_files_that_cannot_be_written_are_told(
    number: int, said: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def fails(line: list[str]) -> int:
        raise OSError(number, os.strerror(number), '/x')

    monkeypatch.setitem(COMMANDS, 'train', fails)
    refused(['train'], said, capsys)


@pytest.mark.parametrize(
    'error',
    [
        MemoryError(),
        RuntimeError('DefaultCPUAllocator: no'),
        RuntimeError('CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has'),
        NotEnoughMemory('内存不够：请把 batch_size 从 64 减到 32 再试'),
    ],
)
def test_memory_is_told_and_other_faults_are_not_hidden(
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fails(line: list[str]) -> int:
        raise raised

    monkeypatch.setitem(COMMANDS, 'train', fails)
    raised = error
    assert main(['train']) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert '内存' in line and '请' in line
    raised = RuntimeError('别的错')
    with pytest.raises(RuntimeError, match='别的错'):  # 程序自己的错要看得见
        main(['train'])
    monkeypatch.setenv('WORLD_SIZE', '2')
    refused(['train'], '断了联系（别的错）', capsys)


def test_names_in_figures_are_short_and_distinct() -> None:
    """汉字宽，八个就满；WordNet 的编号只在末尾不同。"""
    names = ['n01440764', 'n01440767', '一二三四五六七八', '一二三四五六七八九', '$5']
    assert report.short_names(names) == [*names[:3], '一二三四五六七八…', r'\$5']
    long = [f'a_very_long_name_of_{end}' for end in ('a_cat', 'a_dog')]
    assert report.short_names(long) == ['a_very_long_name…1', 'a_very_long_name…2']


def test_an_unknown_command_or_option_ends_with_two(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(['trian']) == 2
    assert '没有 trian 这个命令：可以用 train、' in capsys.readouterr().err
    assert main([]) == 2 and main(['-h']) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in COMMANDS)
    with pytest.raises(SystemExit, match='2'):
        main(['train', '--epoch'])
    assert capsys.readouterr().err.splitlines()[-1] == '不认识的参数：--epoch'


@pytest.mark.parametrize('name', COMMANDS)
def test_help_of_every_command_is_chinese(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match='0'):
        main([name, '-h'])
    shown = capsys.readouterr().out
    assert f'用法：deepcnn {name}' in shown and '--json' in shown
    for english in ('usage', 'options', 'arguments', 'show this'):
        assert english not in shown
