"""Where settings come from, and which one wins."""

import pytest

from sploot_clusterd import config
from sploot_clusterd.config import Given, load
from sploot_clusterd.config.schema import SCHEMA, environment_names, value_of
from sploot_clusterd.errors import ConfigError
from tests.config.loading import loaded, refusal

NAMES = {
    "service.environment": "ENVIRONMENT",
    "service.name": "APP_NAME",
    "service.instance": "CLUSTERD_INSTANCE",
    "service.log_level": "LOG_LEVEL",
    "service.log_format": "LOG_FORMAT",
    "http.enabled": "HTTP_ENABLED",
    "http.host": "HTTP_HOST",
    "http.port": "HTTP_PORT",
    "http.reuse_port": "HTTP_REUSE_PORT",
    "http.tokens": "INTERNAL_TOKEN",
    "http.token_files": "INTERNAL_TOKEN_FILE",
    "http.reader_tokens": "READER_TOKEN",
    "http.reader_token_files": "READER_TOKEN_FILE",
    "http.producer_tokens": "PRODUCER_TOKEN",
    "http.producer_token_files": "PRODUCER_TOKEN_FILE",
    "http.access": "CLUSTERD_HTTP_ACCESS",
    "http.trusted_proxies": "CLUSTERD_HTTP_TRUSTED_PROXIES",
    "http.identity_header": "CLUSTERD_HTTP_IDENTITY_HEADER",
    "http.base_path": "CLUSTERD_HTTP_BASE_PATH",
    "http.ui": "CLUSTERD_HTTP_UI",
    "http.max_body_bytes": "CLUSTERD_HTTP_MAX_BODY_BYTES",
    "http.body_timeout_s": "CLUSTERD_HTTP_BODY_TIMEOUT_S",
    "http.keepalive_s": "CLUSTERD_HTTP_KEEPALIVE_S",
    "http.max_connections": "CLUSTERD_HTTP_MAX_CONNECTIONS",
    "ui.image_url": "CLUSTERD_UI_IMAGE_URL",
    "ui.runbooks": "CLUSTERD_UI_RUNBOOKS",
    "limits.images_per_job": "CLUSTERD_LIMITS_IMAGES_PER_JOB",
    "limits.image_ids_per_job": "CLUSTERD_LIMITS_IMAGE_IDS_PER_JOB",
    "limits.vector_length": "CLUSTERD_LIMITS_VECTOR_LENGTH",
    "limits.id_length": "CLUSTERD_LIMITS_ID_LENGTH",
    "redis.url": "REDIS_URL",
    "redis.cluster": "REDIS_CLUSTER",
    "redis.cluster_addresses": "REDIS_CLUSTER_ADDRESSES",
    "redis.sentinel_username": "REDIS_SENTINEL_USERNAME",
    "redis.sentinel_password": "REDIS_SENTINEL_PASSWORD",
    "redis.username": "REDIS_USERNAME",
    "redis.password": "REDIS_PASSWORD",
    "redis.ssl": "REDIS_SSL",
    "redis.ssl_ca_certs": "REDIS_SSL_CA_CERTS",
    "redis.pool_max_connections": "REDIS_POOL_MAX_CONNECTIONS",
    "redis.socket_timeout": "REDIS_SOCKET_TIMEOUT",
    "redis.socket_connect_timeout": "REDIS_SOCKET_CONNECT_TIMEOUT",
    "redis.healthcheck_interval": "REDIS_HEALTHCHECK_INTERVAL",
    "redis.retry_on_timeout": "REDIS_RETRY_ON_TIMEOUT",
    "clusters.namespace": "NAMESPACE",
    "clusters.ttl_seconds": "CLUSTER_TTL_SECONDS",
    "clusters.max_cluster_size": "MAX_CLUSTER_SIZE",
    "albums.ttl_seconds": "CLUSTERD_ALBUMS_TTL_SECONDS",
    "albums.cache_bytes": "CLUSTERD_ALBUMS_CACHE_BYTES",
    "stream.dead_letter_bytes": "CLUSTERD_STREAM_DEAD_LETTER_BYTES",
    "albums.tombstones": "CLUSTERD_ALBUMS_TOMBSTONES",
    "albums.announced_images": "CLUSTERD_ALBUMS_ANNOUNCED_IMAGES",
    "albums.tombstone_days": "CLUSTERD_ALBUMS_TOMBSTONE_DAYS",
    "albums.dedupe_jobs": "CLUSTERD_ALBUMS_DEDUPE_JOBS",
    "stream.key": "CLUSTER_STREAM_KEY",
    "stream.dead_letter": "CLUSTER_DEAD_LETTER_STREAM",
    "stream.maxlen": "CLUSTER_STREAM_MAXLEN",
    "stream.approximate_trim": "CLUSTER_STREAM_APPROXIMATE_TRIM",
    "stream.group": "CLUSTER_CONSUMER_GROUP",
    "stream.consumer_name": "CLUSTER_WORKER_CONSUMER_NAME",
    "stream.read_timeout_ms": "CLUSTER_READ_TIMEOUT_MS",
    "stream.read_count": "CLUSTER_READ_COUNT",
    "stream.retry_idle_ms": "CLUSTER_RETRY_IDLE_MS",
    "stream.max_attempts": "CLUSTER_MAX_ATTEMPTS",
    "stream.consumers": "CLUSTER_CONSUMERS",
    "stream.partitions": "CLUSTER_PARTITIONS",
    "profiles.enabled": "CLUSTERD_PROFILES_ENABLED",
    "profiles.moves_per_second": "CLUSTERD_PROFILES_MOVES_PER_SECOND",
    "history.url": "DATABASE_URL",
    "tracing.endpoint": "OTEL_EXPORTER_OTLP_ENDPOINT",
    "tracing.service_name": "OTEL_SERVICE_NAME",
    "tracing.sample_rate": "TRACE_SAMPLE_RATE",
    "tracing.pet_ids": "CLUSTERD_TRACING_PET_IDS",
    "history.retention_days": "CLUSTERD_HISTORY_RETENTION_DAYS",
    "history.lookups_per_second": "CLUSTERD_HISTORY_LOOKUPS_PER_SECOND",
    "history.pooler": "CLUSTERD_HISTORY_POOLER",
    "feed.enabled": "FEED_ENABLED",
    "feed.bytes": "FEED_BYTES",
    "feed.seconds": "FEED_SECONDS",
    "jobs.ttl_seconds": "JOBS_TTL_SECONDS",
    "insights.url": "STORAGE_SERVICE_URL",
    "insights.token": "STORAGE_SERVICE_TOKEN",
    "insights.token_file": "STORAGE_SERVICE_TOKEN_FILE",
    "insights.ca_file": "CLUSTERD_INSIGHTS_CA_FILE",
    "insights.adapter": "CLUSTERD_INSIGHTS_ADAPTER",
    "insights.label_field": "CLUSTERD_INSIGHTS_LABEL_FIELD",
    "insights.version_field": "CLUSTERD_INSIGHTS_VERSION_FIELD",
    "insights.timeout_seconds": "CLUSTERD_INSIGHTS_TIMEOUT_SECONDS",
    "insights.concurrency": "CLUSTERD_INSIGHTS_CONCURRENCY",
    "insights.rate": "CLUSTERD_INSIGHTS_RATE",
    "insights.max_answer_bytes": "CLUSTERD_INSIGHTS_MAX_ANSWER_BYTES",
    "insights.give_up_after_seconds": "CLUSTERD_INSIGHTS_GIVE_UP_AFTER_SECONDS",
    "insights.write_back": "CLUSTERD_INSIGHTS_WRITE_BACK",
    "metrics.enabled": "WORKER_METRICS_ENABLED",
    "metrics.host": "WORKER_METRICS_HOST",
    "metrics.port": "WORKER_METRICS_PORT",
    "metrics.tokens": "WORKER_METRICS_TOKEN",
    "metrics.token_files": "WORKER_METRICS_TOKEN_FILE",
}


def test_environment_names_are_the_documented_ones():
    outside_engine = {key: environment_names(key)[0] for key in SCHEMA if not key.startswith("engine.")}
    assert outside_engine == NAMES
    assert environment_names("engine.weights.pose") == ("CLUSTER_ENGINE_WEIGHTS_POSE",)
    assert environment_names("http.tokens") == ("INTERNAL_TOKEN", "INTERNAL_SERVICE_TOKEN")


def test_no_two_settings_share_a_variable():
    names = [name for key in SCHEMA for name in environment_names(key)]
    assert len(names) == len(set(names))


def test_defaults_need_no_source(tmp_path):
    settings = load(environ={}, directory=tmp_path)
    assert (settings.stream.read_count, settings.http.port, settings.albums.ttl_seconds) == (64, 9007, None)
    assert settings.sources == {}


def test_later_sources_win(tmp_path):
    toml = "[stream]\nread_count = 1\nmaxlen = 1\nmax_attempts = 1\n"
    dotenv = "CLUSTER_READ_COUNT=2\nCLUSTER_STREAM_MAXLEN=2\n"
    settings = loaded(tmp_path, toml, dotenv, CLUSTER_READ_COUNT="3")
    assert (settings.stream.read_count, settings.stream.maxlen, settings.stream.max_attempts) == (3, 2, 1)
    assert settings.sources == {
        "stream.read_count": "$CLUSTER_READ_COUNT",
        "stream.maxlen": f"{tmp_path / '.env'}: $CLUSTER_STREAM_MAXLEN",
        "stream.max_attempts": str(tmp_path / "config.toml"),
    }


def test_dotenv_is_read_in_local_only(tmp_path):
    token = "a-token-of-some-length"
    for environment, port in (("local", 1234), ("development", 9007), ("production", 9007)):
        settings = loaded(tmp_path, "", "HTTP_PORT=1234\n", ENVIRONMENT=environment, INTERNAL_TOKEN=token)
        assert settings.http.port == port
    assert loaded(tmp_path, "[service]\nenvironment = 'development'", "HTTP_PORT=1234\n").http.port == 9007


def test_dotenv_forms(tmp_path):
    dotenv = """
    # a comment
    export APP_NAME="in double # quotes"
    NAMESPACE='in.single'
    HTTP_PORT = 1234   # behind it
    REDIS_PASSWORD=
    NOT_OURS=ignored
    """
    settings = loaded(tmp_path, dotenv=dotenv)
    assert settings.service.name == "in double # quotes"
    assert (settings.clusters.namespace, settings.http.port) == ("in.single", 1234)
    assert settings.redis.password is None


def test_dotenv_that_cannot_be_read(tmp_path):
    (tmp_path / ".env").mkdir()
    assert f"{tmp_path / '.env'}: cannot be read" in refusal(tmp_path)


def test_an_empty_variable_counts_as_not_set(tmp_path):
    settings = loaded(tmp_path, INTERNAL_TOKEN="", INTERNAL_SERVICE_TOKEN="a,b", HTTP_PORT="")
    assert [token.reveal() for token in settings.http.tokens] == ["a", "b"]
    assert settings.http.port == 9007


@pytest.mark.parametrize(
    ("name", "text", "key", "value"),
    [
        ("HTTP_ENABLED", "off", "http.enabled", False),
        ("REDIS_SSL", "TRUE", "redis.ssl", True),
        ("LOG_LEVEL", "debug", "service.log_level", "DEBUG"),
        ("ENVIRONMENT", "Development", "service.environment", "development"),
        ("REDIS_SOCKET_TIMEOUT", "2", "redis.socket_timeout", 2.0),
        ("INTERNAL_TOKEN_FILE", "/dev/null", "http.token_files", ("/dev/null",)),
        ("CLUSTER_ENGINE_WEIGHTS_POSE", "0.5", "engine.weights.pose", 0.5),
    ],
)
def test_texts_of_the_environment_are_read_as_their_type(tmp_path, name, text, key, value):
    settings = config.read(environ={name: text}, directory=tmp_path)
    assert value_of(settings, key) == value
    assert type(value_of(settings, key)) is type(value)


def test_a_named_file_has_to_be_there(tmp_path):
    missing = tmp_path / "missing.toml"
    for asked, environ in ((missing, {}), (None, {"CLUSTERD_CONFIG": str(missing)})):
        with pytest.raises(ConfigError, match="cannot be read: No such file"):
            load(asked, environ=environ, directory=tmp_path)


def test_option_then_variable_then_system_file(tmp_path, monkeypatch):
    for name, port in (("option", 1), ("variable", 2), ("system", 3)):
        (tmp_path / f"{name}.toml").write_text(f"[http]\nport = {port}")
    monkeypatch.setattr("sploot_clusterd.config.sources.SYSTEM_FILE", tmp_path / "system.toml")
    environ = {"CLUSTERD_CONFIG": str(tmp_path / "variable.toml")}
    assert load(tmp_path / "option.toml", environ=environ, directory=tmp_path).http.port == 1
    assert load(environ=environ, directory=tmp_path).http.port == 2
    assert load(environ={}, directory=tmp_path).http.port == 3


def test_a_misspelt_variable_is_a_warning(tmp_path):
    settings = loaded(tmp_path, INTERNAL_TOKEN="x" * 16, CLUSTER_STREAM_MAXLN="5", CLUSTERD_SERVICE_HOST="10.0.0.1")
    assert settings.warnings == (
        "$CLUSTER_STREAM_MAXLN is not a setting and was ignored; did you mean $CLUSTER_STREAM_MAXLEN?",
    )


def test_overrides_win_and_outlive_a_reload(tmp_path, monkeypatch):
    file = tmp_path / "config.toml"
    file.write_text("[service]\nlog_level = 'INFO'\n[redis]\npassword = 'of another server'\n")
    monkeypatch.chdir(tmp_path)
    overrides = {"redis.url": Given("unix:///tmp/x", "--embedded"), "redis.password": Given(None, "--embedded")}
    settings = load(file, environ={"REDIS_URL": "redis://elsewhere"}, directory=tmp_path, overrides=overrides)
    assert settings.redis.url.reveal() == "unix:///tmp/x"
    assert settings.redis.password is None
    file.write_text("[service]\nlog_level = 'DEBUG'\n")
    again = config.reload(settings)
    assert (again.service.log_level, again.redis.url) == ("DEBUG", settings.redis.url)
