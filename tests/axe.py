"""axe-core：在页面里检查无障碍的脚本。"""

from pathlib import Path

AXE = (Path(__file__).parent / 'site' / 'axe-core' / 'axe.min.js').read_text('utf-8')
