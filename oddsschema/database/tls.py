"""Encryption by TLS: the contexts that libpq's parameters ask for.

Source: PostgreSQL's documentation, "SSL Support" of libpq.
"""

import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

from oddsschema.database.home_files import user_file
from oddsschema.database.settings import Host, TLSSettings
from oddsschema.errors import DatabaseURLError


def tls_attempts(
    settings: TLSSettings, host: Host, environment: Mapping[str, str]
) -> list[ssl.SSLContext | None]:
    """Return the context of each attempt to connect to a host; None for one without encryption."""
    if host.is_socket or settings.mode == "disable":
        return [None]
    context = _context(settings, host, environment)
    match settings.mode:
        case "allow":
            return [None, context]
        case "prefer":
            return [context, None]
    return [context]


class _NamedContext(ssl.SSLContext):
    """A context that asks the server for the certificate of a name, in place of its address."""

    name: str

    def wrap_bio(self, *args: object, **options: object) -> ssl.SSLObject:
        return super().wrap_bio(*args, **{**options, "server_hostname": self.name})  # type: ignore[arg-type]  # passed on


def _context(settings: TLSSettings, host: Host, environment: Mapping[str, str]) -> ssl.SSLContext:
    context = _NamedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.name = host.name or host.address or ""
    context.check_hostname = settings.mode == "verify-full"
    context.minimum_version = _version(settings.oldest)
    if settings.newest:
        context.maximum_version = _version(settings.newest)
    if settings.key_log:
        context.keylog_filename = settings.key_log
    # Servers ask for it when TLS begins with the first byte.
    context.set_alpn_protocols(["postgresql"])
    # libpq verifies the certificate with `require` too if there are trusted ones.
    if settings.mode not in ("allow", "prefer") and _trust(context, settings, environment):
        context.verify_mode = ssl.CERT_REQUIRED
        _revoke(context, settings, environment)
    else:
        context.verify_mode = ssl.CERT_NONE
    if settings.has_certificate:
        _identify(context, settings, environment)
    return context


def _trust(context: ssl.SSLContext, settings: TLSSettings, environment: Mapping[str, str]) -> bool:
    """Load the trusted certificates. Return False without any, if the mode needs none."""
    if settings.root_certificates == "system":
        context.load_default_certs()
        return True
    file = _file(settings.root_certificates, "root.crt", environment)
    if file is not None and file.is_file():
        _load("sslrootcert", file, lambda: context.load_verify_locations(cafile=file))
        return True
    if settings.mode == "require":
        return False
    raise DatabaseURLError(
        reason=f"sslmode={settings.mode} needs trusted certificates, and the file "
        f"{file or '~/.postgresql/root.crt'} does not exist: name the file of the server's "
        "authority as sslrootcert, or write sslrootcert=system to trust those of the system"
    )


def _revoke(context: ssl.SSLContext, settings: TLSSettings, environment: Mapping[str, str]) -> None:
    """Load the revoked certificates."""
    file = _file(settings.revoked, "root.crl", environment)
    if file is not None and (settings.revoked or file.is_file()):
        _load("sslcrl", file, lambda: context.load_verify_locations(cafile=file))
    elif settings.revoked_directory:
        directory = Path(settings.revoked_directory)
        _load("sslcrldir", directory, lambda: context.load_verify_locations(capath=directory))
    else:
        return
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN


def _identify(
    context: ssl.SSLContext, settings: TLSSettings, environment: Mapping[str, str]
) -> None:
    """Load the client's certificate and its key."""
    certificate = _file(settings.certificate, "postgresql.crt", environment)
    if certificate is None or not (settings.certificate or certificate.is_file()):
        return
    key = _file(settings.key, "postgresql.key", environment)
    _load(
        "sslcert and sslkey",
        certificate,
        # Without a password, OpenSSL would ask on the terminal.
        lambda: context.load_cert_chain(certificate, key, password=lambda: settings.key_password),
    )


def _file(given: str, default: str, environment: Mapping[str, str]) -> Path | None:
    return (
        Path(given)
        if given
        else user_file(f".postgresql/{default}", environment, name_on_windows=default)
    )


def _load(parameter: str, file: Path, load: Callable[[], object]) -> None:
    try:
        load()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or "wrong form"
        raise DatabaseURLError(reason=f"{parameter}: {file} cannot be loaded ({reason})") from None


def _version(name: str) -> ssl.TLSVersion:
    return ssl.TLSVersion[name.replace(".", "_")]
