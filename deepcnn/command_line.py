"""各个命令共用的：中文的用法与报错，和在哪种终端里都写得出的结果。

argparse 的用法与报错是英文，又没有公开的办法换掉，所以成文之后再译。
"""

import argparse
import errno
import re
import sys
from collections.abc import Callable
from typing import NoReturn

INTERRUPTED = 130
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
REASONS = {
    errno.ENOTDIR: '路径里有一段是文件，不是文件夹；请换一个地方',
    errno.EEXIST: '已经有同名的文件；请换一个名字',
    errno.EISDIR: '它是文件夹，这里要的是文件',
    errno.ENOENT: '没有这个文件或文件夹；请核对路径',
    errno.EACCES: '没有权限；请换一个地方，或放开它的权限',
    errno.EPERM: '没有权限；请换一个地方，或放开它的权限',
    errno.EROFS: '那里只能读；请换一个地方',
    errno.ENAMETOOLONG: '名字太长；请换一个短的',
    errno.EPIPE: '接着输出的程序不再读了',
    errno.EIO: '磁盘或网络盘读写出错；请检查它，再试',
}

# argparse 的英文（正则表达式）→ 中文；先到先得，笼统的放在后面。
CHINESE = {
    r'^usage: ': '用法：',
    r'^positional arguments:$': '参数：',
    r'^options:$': '选项：',
    r'show this help message and exit$': '显示这段说明',
    r'^unrecognized arguments: ': '不认识的参数：',
    r'^the following arguments are required: ': '缺少参数：',
    r'^argument (.+?): expected .*': r'\1 后面缺少值',
    r'^argument (.+?): ignored explicit argument .*': r'\1 后面不带值',
    r'^argument (.+?): invalid choice: (.+?) \(choose from (.*)\)': r'\1 没有 \2：可以用 \3',
    r'^argument (.+?): invalid \w+ value: ': r'\1 不能是 ',
}


def translated(text: str) -> str:
    for english, chinese in CHINESE.items():
        text = re.sub(english, chinese, text, flags=re.MULTILINE)
    return text


class Command(argparse.ArgumentParser):
    """说中文的 ArgumentParser；``about`` 是命令的文档字符串，``-h`` 显示它。

    ``name`` 是命令的名字，不给时是运行的脚本。用法不对时说明一行，以 2 退出；选项不许缩写。
    """

    def __init__(self, about: str, name: str | None = None) -> None:
        super().__init__(
            prog=name or sys.argv[0],
            description=about.strip(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.color = False  # Python 3.14 起的颜色记号会隔开要译的词

    def format_usage(self) -> str:
        return translated(super().format_usage())

    def format_help(self) -> str:
        return translated(super().format_help())

    def error(self, message: str) -> NoReturn:
        self.exit(2, f'{self.format_usage()}{translated(message)}\n')


def run(
    main: Callable[[list[str]], int], told: tuple[type[Exception], ...] = ()
) -> NoReturn:
    """当作命令运行 ``main``，以它返回的数退出；按 Ctrl-C、文件出错时说一行。

    ``told`` 里的异常也只说消息那一行：``main`` 里抛出它的，消息都是写给人看的。
    终端的编码写不出的字换成转义（标准错误本来如此），不因此中断。
    """
    sys.stdout.reconfigure(errors='backslashreplace')
    try:
        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        print('已中断', file=sys.stderr)
        code = INTERRUPTED
    except OSError as error:
        print(file_trouble(error), file=sys.stderr)
        code = 1
    except told as error:
        print(error, file=sys.stderr)
        code = 1
    sys.exit(code)


def file_trouble(error: OSError) -> str:
    """读不了、写不了的文件，一行：哪个文件，为什么。"""
    if error.errno is None:  # 自己写好的一句话
        return str(error)
    where = f'（{error.filename}）' if error.filename else ''
    if error.errno in FULL:
        return f'磁盘满了{where}：请腾出空间，再运行一次'
    reason = REASONS.get(error.errno) or error.strerror or error
    return f'文件出错{where}：{reason}'
