"""A loopback server that meets each request with the next `Answer` of a script, on real sockets."""

import contextlib
import socket
import threading


class ScriptServer:
    """`with ScriptServer(answers) as server:` ... `server.url`, `server.requests` (raw bytes), `server.connections`."""

    def __init__(self, answers):
        self.answers = list(answers)
        self.requests = []
        self.connections = 0
        self._over = threading.Event()
        self._threads = []
        self._open = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def __enter__(self):
        self._start(self._accept)
        return self

    def __exit__(self, *_):
        self._over.set()
        for connection in self._open:  # wakes who waits for a request that will not come
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        # Closing alone does not wake a blocked accept on Linux; a last connection does.
        socket.create_connection(self._listener.getsockname()).close()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()
        self._listener.close()

    def _start(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            connection, _ = self._listener.accept()
            if self._over.is_set():
                connection.close()
                return
            self.connections += 1
            self._start(self._serve, connection)

    def _serve(self, connection):
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.append(connection)
            if self._over.is_set():
                return
            while True:
                request = self._read_request(connection)
                if request is None:
                    return
                self.requests.append(request)
                try:
                    if not self._write(connection, self.answers.pop(0)):
                        return
                except OSError:
                    return  # the client has left; the tests look at what it got before

    def _read_request(self, connection):
        data = b""
        while True:
            head, blank, body = data.partition(b"\r\n\r\n")
            if blank and len(body) >= _content_length(head):
                return data
            try:
                piece = connection.recv(65536)
            except OSError:
                return None
            if not piece:
                return None
            data += piece

    def _write(self, connection, answer):
        if answer.end == "refused":
            return False
        names = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        connection.sendall(f"HTTP/1.1 {answer.status} X\r\n{names}Transfer-Encoding: chunked\r\n\r\n".encode())
        for piece in answer.pieces:
            if answer.end == "cut" and piece[:1] == b"{":  # JSON: break off inside it
                connection.sendall(b"%x\r\n%s" % (len(piece), piece[: len(piece) // 2]))
                return False
            connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        if answer.end == "cut":
            return False
        if answer.end == "silence":
            self._over.wait(10)
            return False
        connection.sendall(b"0\r\n\r\n")
        return True


def _content_length(head):
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0
