"""Run a program where only loopback exists, with one door: a socket that was opened outside.

`python -m tests.harness.private_door FD PORT PROGRAM ARGUMENT…` relays what the listening socket FD
accepts to 127.0.0.1:PORT of the program's own network. It ends with the program, and ends it.
"""

import asyncio
import signal
import socket
import sys
from contextlib import suppress

CHUNK = 1 << 18


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(CHUNK):
            target.write(data)
            await target.drain()
    target.close()


async def main(descriptor: int, port: int, command: list[str]) -> int:
    """The program's exit status; one that a signal ended is 128 and the signal."""
    program = await asyncio.create_subprocess_exec(*command)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, program.terminate)

    async def relay(near: asyncio.StreamReader, near_side: asyncio.StreamWriter) -> None:
        try:
            far, far_side = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            near_side.close()
            return
        await asyncio.gather(_pump(near, far_side), _pump(far, near_side))

    await asyncio.start_server(relay, sock=socket.socket(fileno=descriptor))
    code = await program.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])))
