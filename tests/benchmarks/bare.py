"""The measure of intake: a Litestar handler that does nothing, served as the router is served.

python -m tests.benchmarks.bare 8790
"""

import sys

import uvicorn
from litestar import Litestar, post


@post("/webhooks/{source:str}", status_code=202)
async def bare(source: str) -> dict[str, str]:
    return {"id": source, "status": "accepted"}


if __name__ == "__main__":
    uvicorn.run(
        Litestar([bare], openapi_config=None, logging_config=None),
        port=int(sys.argv[1]),
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
    )
