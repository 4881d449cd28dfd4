"""tools/book/record.py：图注的来历、元数据的清理、出错时不改写文件。"""

import errno
import os
import re
from itertools import pairwise
from pathlib import Path

import book_contents
import export_models
import nbformat
import pytest
import record
from book_contents import recording_order
from book_source import chapter_files
from nbclient.exceptions import DeadKernelError


def notebook_with(source: str, **metadata: object) -> nbformat.NotebookNode:
    cell = nbformat.v4.new_code_cell(source, metadata=metadata)
    return nbformat.v4.new_notebook(cells=[cell])


def caption_of(text: str) -> str:
    return f'<a id="fig-x"></a>**图 7.1**　{text}'


def with_caption(source: str, text: str, **metadata: object) -> nbformat.NotebookNode:
    """一个画图的单元，后面是它的图注。"""
    notebook = notebook_with(source, **metadata)
    notebook.cells.append(nbformat.v4.new_markdown_cell(caption_of(text)))
    return notebook


def test_caption_names_the_latest_run_only() -> None:
    notebook = with_caption('1', '训练曲线。', trained=True)
    record.write_provenance(notebook, 'laptop 档 · 种子 0')
    record.write_provenance(notebook, 'gpu 档 · 种子 0、1、2')
    assert notebook.cells[1].source == caption_of('训练曲线（gpu 档 · 种子 0、1、2）。')
    assert notebook.cells[0].metadata.provenance == 'gpu 档 · 种子 0、1、2'


def test_caption_of_an_untrained_figure_is_left_alone() -> None:
    notebook = with_caption('1', '示意。')
    record.write_provenance(notebook, 'laptop 档')
    assert notebook.cells[1].source == caption_of('示意。')


def test_text_after_a_trained_cell_is_no_caption() -> None:
    notebook = notebook_with('1', trained=True)
    notebook.cells.append(nbformat.v4.new_markdown_cell('**图 7.1**　说的是别的图。'))
    record.write_provenance(notebook, 'laptop 档')
    assert notebook.cells[1].source == '**图 7.1**　说的是别的图。'
    assert 'provenance' not in notebook.cells[0].metadata


def test_every_stored_provenance_is_in_its_caption() -> None:
    """make record 换掉旧的来历，靠的是图注以它结尾。"""
    found = 0
    for path in chapter_files():
        cells = nbformat.read(path, as_version=4).cells
        for cell, after in pairwise(cells):
            if provenance := cell.metadata.get('provenance'):
                assert record.OUTPUT_CAPTION.match(after.source), cell.source
                assert after.source.endswith(f'（{provenance}）。'), after.source
                found += 1
    assert found > 30


def test_volatile_metadata_goes_and_streams_are_joined() -> None:
    notebook = notebook_with('print(1)', execution={'iopub.status.busy': 'now'})
    notebook.metadata.widgets = {}
    part = nbformat.v4.new_output('stream', name='stdout', text='a\n')
    notebook.cells[0].outputs = [part, part.copy()]
    record.tidy(notebook)
    assert 'execution' not in notebook.cells[0].metadata
    assert 'widgets' not in notebook.metadata
    assert [output.text for output in notebook.cells[0].outputs] == ['a\na\n']


def test_the_picture_of_a_widget_is_stored_without_the_widget() -> None:
    view = {'model_id': 'abc', 'version_major': 2, 'version_minor': 0}
    data = {'text/plain': '图', 'image/png': 'iVBO', record.WIDGET_VIEW: view}
    notebook = notebook_with('explore()')
    notebook.cells[0].outputs = [nbformat.v4.new_output('display_data', data=data)]
    record.tidy(notebook)
    assert notebook.cells[0].outputs[0].data == {
        'text/plain': '图',
        'image/png': 'iVBO',
    }


def test_failing_chapter_is_named_and_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / 'nin.ipynb'
    nbformat.write(notebook_with('1 / 0'), path)
    before = path.read_bytes()
    monkeypatch.setattr(record, 'CHAPTERS', tmp_path)
    monkeypatch.setattr(record.os, 'environ', dict(record.os.environ))
    assert record.main(['nin']) == 1
    assert 'nin 执行失败' in capsys.readouterr().err
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ('error', 'code', 'said'),
    [
        (DeadKernelError('Kernel died'), 1, 'nin 的内核没有了，多半是内存不够'),
        (RuntimeError("Kernel didn't respond"), 1, 'nin 的内核没有启动.*didn'),
        (ValueError('没有 nin 的训练记录'), 1, 'nin 没有录成.*没有 nin 的训练记录'),
        (KeyboardInterrupt(), 130, 'nin 已中断.*从断点接着做'),
    ],
    ids=['kernel', 'start', 'value', 'interrupt'],
)
def test_a_recording_that_stops_says_why_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    error: BaseException,
    code: int,
    said: str,
) -> None:
    def fails(chapter: str) -> None:
        raise error

    monkeypatch.setattr(record, 'record', fails)
    monkeypatch.setattr(record.os, 'environ', dict(record.os.environ))
    assert record.main(['nin']) == code
    told = capsys.readouterr().err
    assert re.match(said, told) and told.count('\n') == 1


@pytest.mark.parametrize('name', ['expected_line', 'write_bytes'])
def test_a_truncated_measurement_or_a_full_disk_is_told(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    path = tmp_path / 'nin.ipynb'
    nbformat.write(notebook_with('1'), path)
    before = path.read_bytes()
    errors = {
        'expected_line': ValueError('bench-cpu-bf16.json 读不了'),
        'write_bytes': OSError(errno.ENOSPC, 'No space left on device', str(path)),
    }

    def fails(*arguments: object) -> None:
        raise errors[name]

    monkeypatch.setattr(record, 'CHAPTERS', tmp_path)
    monkeypatch.setattr(record, 'execute', lambda *arguments: None)
    monkeypatch.setattr(record, name, fails)
    monkeypatch.setattr(record.os, 'environ', dict(record.os.environ))
    assert record.main(['nin']) == 1
    [said] = capsys.readouterr().err.splitlines()
    assert said.startswith('nin 没有录成') and ('bench-cpu' in said or '磁盘满' in said)
    assert path.read_bytes() == before


def test_a_notebook_with_a_conflict_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """说明照样看得到；录制与导出都指明是哪一个。"""
    (tmp_path / 'nin.ipynb').write_text('<<<<<<< HEAD', encoding='utf-8')
    monkeypatch.setattr(book_contents, 'CHAPTERS', tmp_path)
    monkeypatch.setattr(book_contents, 'notebooks', lambda: ('nin',))
    book_contents.exporting_chapters.cache_clear()
    try:
        for module, arguments in ((record, ['nin']), (export_models, ['--check'])):
            with pytest.raises(SystemExit, match='0'):
                module.main(['-h'])
            assert module.main(arguments) in (1, 2)
            [said] = capsys.readouterr().err.splitlines()
            assert 'nin.ipynb 读不了' in said and '冲突' in said
    finally:
        book_contents.exporting_chapters.cache_clear()


def test_the_kernel_keeps_the_path_given_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """没有网络的机器上（OFFLINE=1），.offline/site 里的包也要找得到。"""
    environment = {'PYTHONPATH': '别处'}
    monkeypatch.setattr(record.os, 'environ', environment)
    for _ in range(2):
        record.prepare_kernels('quick')
    root, *before = environment.pop('PYTHONPATH').split(os.pathsep)
    assert root == str(record.ROOT) and before[-1] == '别处'
    record.prepare_kernels('full')
    assert environment['PYTHONPATH'] == str(record.ROOT)
    assert environment['DEEPCNN_PROFILE'] == 'full'


def test_every_notebook_can_be_recorded() -> None:
    names = {
        path.relative_to(record.CHAPTERS).with_suffix('').as_posix()
        for path in chapter_files()
    }
    assert set(recording_order()) == names


def test_notebook_runs_in_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / 'exercises' / 'where.ipynb'
    path.parent.mkdir()
    nbformat.write(
        notebook_with('import os\nprint(os.path.basename(os.getcwd()))'), path
    )
    monkeypatch.setattr(record, 'CHAPTERS', tmp_path)
    record.record('exercises/where')
    [output] = nbformat.read(path, as_version=4).cells[0].outputs
    assert output.text == 'exercises\n'


def test_the_kernel_records_from_its_first_cell_on(tmp_path: Path) -> None:
    notebook = notebook_with(
        'from deepcnn.training.recording import current_recording\n'
        'print(current_recording().results.name)'
    )
    record.execute(notebook, tmp_path)
    assert notebook.cells[0].outputs[0].text == 'results\n'
    assert notebook.cells[0].execution_count == 1


def test_unknown_chapter_names_the_known_ones(capsys: pytest.CaptureFixture) -> None:
    assert record.main(['lenet5']) == 2
    assert 'alexnet' in capsys.readouterr().err


def test_what_a_notebook_prints_is_seen_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    notebook = notebook_with('print("Fashion-MNIST  第 1/6 轮  损失 0.500")')
    monkeypatch.setattr(record, 'CHAPTERS', tmp_path)
    record.execute(notebook, tmp_path)
    assert '第 1/6 轮  损失 0.500' in capsys.readouterr().err
    assert '第 1/6 轮' in notebook.cells[0].outputs[0].text


@pytest.mark.parametrize(
    ('variable', 'value', 'legal'),
    [
        ('DEEPCNN_PROFILE', 'fast', 'quick、laptop、full、gpu'),
        ('DEEPCNN_DEVICE', 'tpu', 'cuda、mps、cpu'),
    ],
)
def test_unknown_profile_or_device_names_the_legal_ones(
    variable: str,
    value: str,
    legal: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setenv(variable, value)
    assert record.main(['nin']) == 2
    assert legal in capsys.readouterr().err
