"""What can go wrong when talking to the API."""


class EverturnError(Exception):
    """Base of every error of the client; the text is one line for a person."""


class Unreachable(EverturnError):
    """Nothing answers at the address, or the connection broke. The same call may succeed later."""


class ApiProblem(EverturnError):
    """The API refused: an application/problem+json document.

    code is stable, such as not_found or unauthenticated.
    """

    def __init__(self, *, status: int, code: str, detail: str, request_id: str | None = None) -> None:
        trailer = f" (request {request_id})" if request_id else ""
        super().__init__(f"{detail}{trailer}")
        self.status = status
        self.code = code
        self.detail = detail
        self.request_id = request_id
