"""给读屏念的一行，还空着的时候也在页面里：收起来的（display: none），话来了读屏不念。"""

import re

from book_source import ROOT

LIVING = ROOT / 'site' / 'assets' / 'living'
STATUS = re.compile(r"className: '([\w-]+)[^']*',\s*role: 'status'")
HIDDEN = re.compile(r'([^{}]*:empty[^{}]*)\{[^}]*display: none')


def test_an_empty_line_for_screen_readers_is_not_hidden() -> None:
    scripts = '\n'.join(path.read_text('utf-8') for path in LIVING.glob('*.js'))
    styles = '\n'.join(path.read_text('utf-8') for path in LIVING.glob('*.css'))
    spoken = {*STATUS.findall(scripts)}
    assert {'predict__hint', 'stepper__problem', 'cards__heading', 'lab__note'} <= spoken
    hidden = {
        name
        for rule in HIDDEN.findall(styles)
        for selector in rule.split(',')
        if ':not([role])' not in selector
        for name in re.findall(r'\.([\w-]+):empty', selector)
    }
    assert hidden and not hidden & spoken
