"""把公式的 LaTeX 写成可以搜索的普通字符，例如 ``1\\times 1`` 变成 1×1。"""

import re

SYMBOLS = {
    'times': '×',
    'cdot': '·',
    'le': '≤',
    'leq': '≤',
    'ge': '≥',
    'geq': '≥',
    'ne': '≠',
    'approx': '≈',
    'to': '→',
    'Longrightarrow': '⟹',
    'in': '∈',
    'subseteq': '⊆',
    'sum': '∑',
    'prod': '∏',
    'partial': '∂',
    'sqrt': '√',
    'ldots': '…',
    'cdots': '…',
    'lfloor': '⌊',
    'rfloor': '⌋',
    'lceil': '⌈',
    'rceil': '⌉',
    'lVert': '‖',
    'rVert': '‖',
    'ell': 'ℓ',
    'alpha': 'α',
    'beta': 'β',
    'gamma': 'γ',
    'delta': 'δ',
    'Delta': 'Δ',
    'epsilon': 'ε',
    'theta': 'θ',
    'lambda': 'λ',
    'mu': 'μ',
    'pi': 'π',
    'sigma': 'σ',
}

# 只管字体、大小与间距的命令，不留下文字。
LAYOUT = {
    'bigl',
    'bigr',
    'boldsymbol',
    'displaystyle',
    'left',
    'mathbf',
    'mathcal',
    'mathrm',
    'operatorname',
    'qquad',
    'quad',
    'right',
    'text',
    'underbrace',
}

ENVIRONMENT = re.compile(r'\\(?:begin|end)\{[^}]*\}')
# 一个花括号（里面可以再套两层）、一个数字或一个命令
NESTED = r'\{(?:[^{}]|\{[^{}]*\})*\}'
ARGUMENT = rf'\s*(?:\{{((?:[^{{}}]|{NESTED})*)\}}|(\d|\\[A-Za-z]+))'
FRACTION = re.compile(rf'\\[dt]?frac{ARGUMENT}{ARGUMENT}')
COMMAND = re.compile(r'\\([A-Za-z]+)')
# 间距命令 \, \; \! 与换行 \\；花括号、对齐符和上下标记号都不显示。
SPACING = re.compile(r'\\[,;:!> ]|\\\\')
MARKUP = re.compile(r'[{}&^_]')


def symbol(match: re.Match[str]) -> str:
    """命令对应的字符；表里没有的（如 max）就是它的名字。"""
    name = match[1]
    return '' if name in LAYOUT else SYMBOLS.get(name, name)


def plain_formula(latex: str) -> str:
    """返回公式的普通文字；不求排版，只求读者输入的写法能够找到。"""
    # 60{,}000 里的逗号；后面会去掉花括号。
    plain = ENVIRONMENT.sub(' ', latex)
    plain = FRACTION.sub(r' \1\2/\3\4', plain)
    plain = SPACING.sub(' ', plain)
    plain = COMMAND.sub(symbol, plain)
    plain = MARKUP.sub('', plain)
    plain = re.sub(r'\s*×\s*', '×', plain)
    return ' '.join(plain.split())
