"""What a person says of a source. Not for what was found there."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from domain.sources.address import canonical

WebAddress = Annotated[str, AfterValidator(canonical), Field(max_length=2000, examples=["https://docs.example.com/"])]
Host = Annotated[str, Field(pattern=r"^[a-z0-9.:\[\]-]{1,255}$")]
TableName = Annotated[str, Field(pattern=r"^[^.\x00]{1,63}\.[^.\x00]{1,63}$", examples=["public.faq"])]


class _Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class UrlConfig(_Config):
    """One address."""

    kind: Literal["url"] = "url"
    url: WebAddress


class WebsiteConfig(_Config):
    """A site from its start on. Without allowed_hosts only the start's own host is visited.

    delay_seconds: pause between two requests; robots.txt may ask for a longer one.
    """

    kind: Literal["website"] = "website"
    url: WebAddress
    allowed_hosts: list[Host] = Field(default_factory=list, max_length=50)
    max_depth: int = Field(default=5, ge=0, le=50)
    max_pages: int = Field(default=500, ge=1, le=20_000)
    delay_seconds: float = Field(default=0.2, ge=0, le=3600)
    sitemap: bool = True


class DatabaseConfig(_Config):
    """database: a name in the setting EVERTURN_SOURCE_DATABASES; the address itself is never stored.

    Every table of the schemas is described; the rows of `tables` become documents.
    """

    kind: Literal["database"] = "database"
    database: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")
    schemas: list[Annotated[str, Field(min_length=1, max_length=63)]] = Field(
        default_factory=lambda: ["public"], min_length=1, max_length=50
    )
    tables: list[TableName] = Field(default_factory=list, max_length=100)
    max_rows: int = Field(default=1000, ge=1, le=100_000)


class UploadedFile(_Config):
    name: str
    key: str


class UploadConfig(_Config):
    """Files of one request; an archive among them is unpacked."""

    kind: Literal["upload"] = "upload"
    files: list[UploadedFile]


Config = Annotated[UrlConfig | WebsiteConfig | DatabaseConfig | UploadConfig, Field(discriminator="kind")]
_READER: TypeAdapter[UrlConfig | WebsiteConfig | DatabaseConfig | UploadConfig] = TypeAdapter(Config)


def read_config(stored: dict[str, object]) -> UrlConfig | WebsiteConfig | DatabaseConfig | UploadConfig:
    return _READER.validate_python(stored)
