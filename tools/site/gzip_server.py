"""本机上的静态文件服务器，像正式的网站那样压缩传输。"""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# 图片与 woff2 已经压缩过，再压没有用。
COMPRESSED = {'.html', '.css', '.js', '.svg', '.json', '.txt', '.ipynb', '.md', '.inv'}


@cache
def packed(path: Path) -> bytes:
    """返回文件压缩后的内容；压缩级别与常见的服务器相同。"""
    return gzip.compress(path.read_bytes(), compresslevel=6, mtime=0)


class GzipHandler(SimpleHTTPRequestHandler):
    """提供静态文件：文本类压缩后发送，不打印每个请求。"""

    protocol_version = 'HTTP/1.1'  # 浏览器可以重用连接

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.is_dir():
            path /= 'index.html'
        if path.suffix not in COMPRESSED or not path.is_file():
            super().do_GET()
            return
        body = packed(path)
        self.send_response(200)
        self.send_header('Content-Type', self.guess_type(str(path)))
        self.send_header('Content-Encoding', 'gzip')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """提供一个文件夹，给出网址（末尾没有斜线）。"""
    handler = partial(GzipHandler, directory=str(folder))
    server = ThreadingHTTPServer(('127.0.0.1', 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f'http://127.0.0.1:{server.server_port}'
    finally:
        server.shutdown()
