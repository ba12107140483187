"""The address at which the API is asked."""

import asyncio
import socket

import pytest

from freeda_svc.api.address import address_of, bound_socket
from freeda_svc.settings import Settings
from tests.free_ports import free_port


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
    except OSError:
        return False
    return True


NEEDS_IPV6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("::1", marks=NEEDS_IPV6)])
def test_answers_are_sent_at_once(settings: Settings, host: str) -> None:
    async def sent_at_once() -> bool:
        asked: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        async def note(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted = writer.get_extra_info("socket")
            asked.set_result(bool(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
            writer.close()
            await writer.wait_closed()

        async with await asyncio.start_server(note, sock=bound):
            _, writer = await asyncio.open_connection(*bound.getsockname()[:2])
            answer = await asked
            writer.close()
            await writer.wait_closed()
            return answer

    with bound_socket(settings.model_copy(update={"api_host": host, "api_port": free_port()})) as bound:
        assert address_of(bound).startswith(("http://127.0.0.1:", "http://[::1]:"))
        assert asyncio.run(sent_at_once())
