"""What the API refuses, with the HTTP status, code and message of its documentation."""

from __future__ import annotations


class RefusalError(Exception):
    """A request is refused; `field` is the JSON pointer of what is wrong with it."""

    def __init__(self, status: int, code: str, message: str, *, field: str | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.field = field

    def document(self) -> dict[str, object]:
        """Return the body of the answer."""
        body: dict[str, object] = {"code": self.code, "message": self.message}
        if self.field is not None:
            body["detail"] = {"field": self.field, "location": "body", "issue": self.message}
        return body


def sign_error(message: str) -> RefusalError:
    return RefusalError(401, "SIGN_ERROR", message)


def param_error(field: str, message: str) -> RefusalError:
    return RefusalError(400, "PARAM_ERROR", message, field=field)


def invalid_request(message: str) -> RefusalError:
    return RefusalError(400, "INVALID_REQUEST", message)


def no_such_order() -> RefusalError:
    return RefusalError(404, "ORDER_NOT_EXIST", "订单不存在")


def no_such_resource(message: str) -> RefusalError:
    return RefusalError(404, "RESOURCE_NOT_EXISTS", message)
