"""Kernels of the grader: why one ended is known, whoever asked first."""

import json
import socket

import pytest

from course.grading import kernels


@pytest.fixture
def kernel():
    """A kernel without a process, and the server's end of its line."""
    made = object.__new__(kernels.BoxedKernel)
    made.control, server = socket.socketpair()
    made.control.setblocking(False)
    made.end = None
    yield made, server
    made.control.close()
    server.close()


def test_the_reason_is_kept(kernel):
    kernel, server = kernel
    assert kernel.is_alive()
    server.sendall(json.dumps({"ended": "memory"}).encode())
    assert not kernel.is_alive()
    assert kernel.ended().reason == "memory"
    assert not kernel.is_alive()


def test_a_server_that_went_away_has_said_nothing(kernel):
    kernel, server = kernel
    server.close()
    assert kernel.ended().reason == kernel.ended().reason == "died"


@pytest.mark.parametrize("reason", ["time", "output", "forged"])
def test_the_reason_why_we_stopped_it_is_kept(kernel, monkeypatch, reason):
    kernel, _ = kernel
    monkeypatch.setattr(kernel, "stop", kernel.control.close)
    with pytest.raises(kernels.KernelEnded, match=reason):
        kernel._overrun(reason)
    assert kernel.ended().reason == reason
