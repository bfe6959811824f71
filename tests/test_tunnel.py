"""Ways through a proxy: TLS with it, TLS with the target inside, and tunnels that come to nothing."""

from . import module
from .doors import CLOSE, Proxy, RawServer, fails, plain, post, read_all

errors = module("protocol.errors")
route = module("transport.route")
tunnel = module("transport.tunnel")
StdlibTransport = module("transport.stdlib_transport").StdlibTransport


def test_what_asks_for_a_tunnel():
    """CONNECT with host and port, whichever the port is, and the credentials of the proxy's URL."""
    target, proxy = route.Origin("https", "::1", 443), route.Origin("http", "p", 3128)
    asked = tunnel.connect_bytes(route.Route(target, proxy, "http://me:p%40ss@p:3128"))
    assert asked.startswith(b"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n")
    assert b"\r\nProxy-Authorization: Basic bWU6cEBzcw==\r\n" in asked


def test_a_proxy_over_tls_for_http(tls, certificate):
    """It gets the request as it is, encrypted."""
    with RawServer(plain(b"by proxy"), tls=tls) as proxy:
        door = StdlibTransport(proxies={"all": f"https://127.0.0.1:{proxy.port}"}, verify=certificate)
        assert read_all(post(door, "http://api.example/v1")) == [b"by proxy"]
        door.close()
    assert proxy.requests[0].startswith(b"POST http://api.example/v1 HTTP/1.1\r\n")


def test_the_target_is_verified_inside_the_tunnel(tls, certificate):
    """The proxy is trusted, the name of the target is not the certificate's."""
    with RawServer(plain(), tls=tls) as server, Proxy(tls=tls) as proxy:
        door = StdlibTransport(proxies={"https": f"https://127.0.0.1:{proxy.port}"}, verify=certificate)
        error = fails(errors.APIConnectionError, post, door, server.url.replace("127.0.0.1", "api.example"))
        assert error.phase == "connect" and "cannot trust api.example" in str(error)
        assert server.requests == []


def test_a_tunnel_that_breaks():
    """The proxy hangs up instead of answering CONNECT."""
    with RawServer([CLOSE]) as proxy:
        door = StdlibTransport(proxies={"https": f"http://127.0.0.1:{proxy.port}"})
        error = fails(errors.APIConnectionError, post, door, "https://api.example/v1")
    assert error.phase == "connect" and "cannot get through the proxy" in str(error)
