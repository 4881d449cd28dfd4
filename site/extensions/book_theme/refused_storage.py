"""浏览器不许存储时（无痕窗口、嵌入的页面、禁用了 Cookie），网站照常使用。

那时一读 localStorage 或 sessionStorage 就抛出异常，主题的脚本一开始便中断：明暗切换、
搜索框、手机上的目录都不能用。所以先于其他脚本换上只在本页有效的替身。
"""

from sphinx.application import Sphinx

from .template_edits import edit_templates

FIRST_SCRIPT = '<script data-cfasync="false">'
STORAGE_GUARD = """<script>
    for (const name of ["localStorage", "sessionStorage"]) {
      try { window[name].getItem("mode"); } catch (refused) {
        const kept = new Map();
        Object.defineProperty(window, name, { value: {
          getItem: (key) => (kept.has(key) ? kept.get(key) : null),
          setItem: (key, value) => kept.set(key, String(value)),
          removeItem: (key) => kept.delete(key),
        } });
      }
    }
  </script>
"""


def setup(app: Sphinx) -> None:
    edit_templates(app, {FIRST_SCRIPT: STORAGE_GUARD + '  ' + FIRST_SCRIPT})
