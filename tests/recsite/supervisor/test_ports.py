"""Free and busy ports."""

from recsite.supervisor.ports import free_port, is_free


def test_busy_ports_are_seen() -> None:
    import socket

    port = free_port()
    assert is_free(port)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        assert not is_free(port)
