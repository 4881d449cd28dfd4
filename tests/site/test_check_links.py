"""外部链接的检查：没有网络时只说一行，打不开的逐个指明，拒绝访问不算坏。"""

import json
from pathlib import Path
from subprocess import CompletedProcess

import check_links
import pytest
from check_links import Link


def link(info: str, status: str = 'broken') -> Link:
    return Link('chapters/vgg.ipynb', f'https://x.test/{len(info)}', status, info)


OFFLINE = link('Max retries exceeded (NameResolutionError: Failed to resolve)')


def test_without_network_links_are_reported_in_one_line() -> None:
    lines, code = check_links.report([OFFLINE, OFFLINE])
    assert code == 1
    assert len(lines) == 1 and '没有网络' in lines[0]


def test_dead_links_are_named_and_refusals_are_not_failures() -> None:
    working = link('', 'working')
    refused = link('403 Client Error: Forbidden for url: https://x.test')
    dead = link('404 Client Error: Not Found for url: https://x.test')
    lines, code = check_links.report([working, refused])
    assert code == 0 and refused.url in lines[0]
    lines, code = check_links.report([working, dead, OFFLINE])
    assert code == 1
    assert dead.url in lines[0] and '打不开 2 个' in lines[-1]


def test_only_external_links_are_read() -> None:
    record = '{"filename": "a.md", "uri": "%s", "status": "working", "info": ""}'
    uris = ('#sec-vgg', 'vgg.html', 'https://x.test/')
    assert [x.url for x in check_links.read_links(record % uri for uri in uris)] == [
        'https://x.test/'
    ]


REFUSED = '403 Client Error: Forbidden'


def recorded(status: str) -> str:
    info = REFUSED if status == 'refused' else ''
    status = 'broken' if info else status
    page = {'filename': 'a.md', 'uri': 'https://x.test/', 'status': status, 'info': info}
    return json.dumps(page)


TRACEBACK = 'Traceback (most recent call last):\nRuntimeError: 建不成'


@pytest.mark.parametrize(
    ('written', 'ended', 'code', 'said'),
    [
        (['working'], 0, 0, '共 1 个外部链接：打不开 0 个'),
        (['working', 'broken'], 1, 1, '打不开 1 个'),
        (['refused'], 1, 0, '打不开 0 个，拒绝程序访问 1 个'),
        (['working'], 1, 1, 'linkcheck 没有查完'),  # 查到一半出了错
        (['refused'], TRACEBACK, 1, 'linkcheck 没有查完'),
        ([], 2, 1, 'linkcheck 没有查完'),  # 没有查，上次的结果还在
    ],
)
def test_only_a_finished_check_counts(
    written: list[str],
    ended: int | str,
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / 'links'
    monkeypatch.setattr(check_links, 'OUTPUT', output)

    def wrote(statuses: list[str]) -> None:
        path = output / '_build' / 'linkcheck' / 'output.json'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('\n'.join(map(recorded, statuses)), encoding='utf-8')

    def builds(command: list[str], **settings: object) -> CompletedProcess:
        if written:
            wrote(written)
        failed = isinstance(ended, str)
        return CompletedProcess(command, failed or ended, ended if failed else '构建的输出')

    wrote(['working'])
    monkeypatch.setattr(check_links.subprocess, 'run', builds)
    assert check_links.main([]) == code
    told = capsys.readouterr()
    assert said in told.out + told.err
