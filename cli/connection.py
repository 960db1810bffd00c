"""Where the API is and with which key, for the verbs that talk to it."""

from cli.faults import Refused
from runtime.embedded.state import StateFile
from runtime.settings import Settings
from sdk.client import Everturn


def connect(settings: Settings) -> Everturn:
    """EVERTURN_URL and EVERTURN_API_KEY, else the stack over the data folder and its demo key. Raises Refused."""
    return Everturn(_url(settings), _key(settings))


def _url(settings: Settings) -> str:
    if settings.url is not None:
        return settings.url
    state = StateFile(settings.data_dir.resolve()).running()
    if state is None:
        raise Refused("nothing runs over the data folder; start it with `everturn up`, or set EVERTURN_URL")
    return state.api_url


def _key(settings: Settings) -> str:
    if settings.api_key is not None:
        return settings.api_key.get_secret_value()
    file = settings.data_dir / "demo-key"
    if not file.exists():
        raise Refused("no API key: set EVERTURN_API_KEY")
    return file.read_text().strip()
