# SPDX-License-Identifier: MIT
"""What the tests themselves stand on."""

import concurrent.futures

import harness


def _take(count):
    return [harness.free_port() for _ in range(count)]


def test_tests_side_by_side_are_given_different_ports_that_no_client_is_given():
    with concurrent.futures.ProcessPoolExecutor(4) as pool:
        ports = [port for taken in pool.map(_take, [50] * 4) for port in taken]
    assert len(set(ports)) == len(ports)
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
        low, high = map(int, f.read().split())
    assert not [port for port in ports if low <= port <= high]
