"""依赖清单互相一致：范围、确切版本与包的元数据。"""

import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
LISTS = (
    'requirements-book.txt',
    'requirements-browser.txt',
    'requirements.txt',
    'requirements-notebook.txt',
)


def read_requirements(name: str) -> dict[str, Requirement]:
    """读一份依赖清单，返回 {规范化的包名: 要求}。"""
    lines = (ROOT / name).read_text(encoding='utf-8').splitlines()
    stated = (line.split('#', 1)[0].strip() for line in lines)
    parsed = [Requirement(line) for line in stated if line]
    return {canonicalize_name(item.name): item for item in parsed}


def pinned_version(requirement: Requirement) -> str:
    (specifier,) = requirement.specifier
    assert specifier.operator == '==', f'{requirement} 不是确切版本'
    return specifier.version


@pytest.mark.parametrize('name', LISTS)
def test_pins_satisfy_the_ranges(name: str) -> None:
    pins = read_requirements('constraints.txt')
    for package, wanted in read_requirements(name).items():
        assert package in pins, f'constraints.txt 没有 {package}'
        assert wanted.specifier.contains(pinned_version(pins[package])), package


def needed_by(package: str, extras: set[str]) -> list[Requirement]:
    """装着的 ``package`` 在这里还要什么；没有装的，当作什么也不要。

    torch 自己限定了 CUDA 组件与 triton 的版本，所以不看它的。
    """
    try:
        stated = [] if package == 'torch' else requires(package) or []
    except PackageNotFoundError:
        return []
    found = map(Requirement, stated)
    return [
        one
        for one in found
        if not one.marker
        or any(one.marker.evaluate({'extra': extra}) for extra in {'', *extras})
    ]


@pytest.mark.skipif(
    sys.platform != 'linux' or sys.version_info < (3, 11),
    reason='固定的是 Linux 上测试过的版本；别的系统与 3.10 另要几个小包',
)
def test_what_the_listed_packages_need_is_pinned_too() -> None:
    pins = read_requirements('constraints.txt')
    waiting = [one for name in LISTS for one in read_requirements(name).values()]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        one = waiting.pop()
        package = canonicalize_name(one.name)
        if (package, frozenset(one.extras)) in seen:
            continue
        seen.add((package, frozenset(one.extras)))
        waiting += needed_by(package, one.extras)
    missing = {package for package, _ in seen} - set(pins)
    assert not missing, f'constraints.txt 没有 {"、".join(sorted(missing))}'
    assert len(seen) > 50  # 真的查了装着的包


@pytest.mark.parametrize('name', LISTS)
def test_ranges_set_no_upper_limit_without_reason(name: str) -> None:
    """上限会让清单在新的 Python 上解析失败；只有下面几个包有理由。"""
    capped = {'jupyter-book', 'sphinx', 'sphinx-book-theme', 'jupyterlab'}
    for package, wanted in read_requirements(name).items():
        operators = {specifier.operator for specifier in wanted.specifier}
        if package not in capped:
            assert operators == {'>='}, f'{name}：{wanted}'


def test_jupyter_book_stays_on_version_1() -> None:
    book = read_requirements('requirements-book.txt')['jupyter-book']
    assert not book.specifier.contains('2.0.0')


def test_building_the_book_needs_no_torch() -> None:
    assert not {'torch', 'torchvision'} & set(
        read_requirements('requirements-book.txt')
    )


def test_d2l_stands_alone_and_pinned() -> None:
    d2l = read_requirements('requirements-d2l.txt')
    assert set(d2l) == {'d2l'}
    assert pinned_version(d2l['d2l']) == '1.0.3'


def test_package_metadata_repeats_the_ranges() -> None:
    project = tomllib.loads((ROOT / 'pyproject.toml').read_text(encoding='utf-8'))
    ranges = read_requirements('requirements.txt')
    for line in project['project']['dependencies']:
        stated = Requirement(line)
        assert ranges[canonicalize_name(stated.name)].specifier == stated.specifier
