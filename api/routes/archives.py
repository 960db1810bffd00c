"""Several files in one request, and archives of files: each file inside becomes a document of its own."""

from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, File, Response, UploadFile

from api.dependencies import Resources
from api.mutation import MutationRoute, Work
from api.responses import errors
from api.routes.documents import FormLabels, given_labels
from api.routes.sources import SourceOut, Writer, show, start_crawl
from domain.errors import Invalid, TooLarge
from domain.sources import store
from domain.sources.upload import upload_key

changes = APIRouter(prefix="/v1", tags=["sources"], route_class=MutationRoute)

_NAME_CHARS = 255


@changes.post("/collections/{collection_id}/archives", status_code=202, responses=errors(400, 404, 413))
async def upload_archives(
    principal: Writer,
    work: Work,
    resources: Resources,
    response: Response,
    collection_id: UUID,
    files: Annotated[list[UploadFile], File(description="Files and archives (zip, tar, tar.gz, tar.bz2, tar.xz).")],
    labels: FormLabels = None,
) -> SourceOut:
    """Store files and begin to unpack and ingest them. The answer is a source; its items are the files inside.

    Every document that is made of one has the labels.
    """
    said = given_labels(labels)
    names = _names(files)
    if sum(file.size or 0 for file in files) > resources.max_upload_bytes:
        raise TooLarge(f"the files together have at most {resources.max_upload_bytes} bytes", pointer="/files")
    source_id = uuid4()
    kept = [{"name": name, "key": upload_key(source_id, number)} for number, name in enumerate(names)]
    source = await store.create_source(
        work.session,
        principal.org_id,
        collection_id,
        config={"kind": "upload", "files": kept},
        name=", ".join(names)[:200],
        source_id=source_id,
        labels=said,
    )
    for file, place in zip(files, kept, strict=True):
        await resources.storage.put(principal.org_id, place["key"], await file.read())
    start_crawl(work, source)
    response.headers["Location"] = f"/v1/sources/{source.id}"
    return show(source)


def _names(files: list[UploadFile]) -> list[str]:
    names: list[str] = []
    for number, file in enumerate(files):
        name = (file.filename or "").replace("\\", "/").rpartition("/")[2].strip()
        if not name or len(name) > _NAME_CHARS or not name.isprintable():
            raise Invalid(
                f"the file needs a printable name of at most {_NAME_CHARS} characters", pointer=f"/files/{number}"
            )
        if name in names:
            raise Invalid("two files of one request need different names", pointer=f"/files/{number}")
        names.append(name)
    return names
