"""Model servers for a machine without GPUs: small programs that the local plane starts."""

from collections.abc import Sequence

from inference.engine import POD_IP, Serving

PORT = 8000
SCRIPT_FOLDER = "/etc/scripted-model"
SCRIPT_FILE = "script.yaml"


def llama_cpp(
    model: str, *, served_names: Sequence[str], extra_args: Sequence[str] = ()
) -> Serving:
    """llama.cpp's server around a GGUF file that comes as a package."""
    # Spinning threads of a busy two-core machine stop each other; waiting ones cost a sixth.
    env = {"OMP_WAIT_POLICY": "PASSIVE"}
    return _program(
        "llama_server",
        *("--model", model, *extra_args),
        served_names=served_names,
        env=env,
        startup_seconds=300,
    )


def embedding(
    model: str, *, served_names: Sequence[str], extra_args: Sequence[str] = ()
) -> Serving:
    """Sentence vectors from an ONNX file."""
    return _program("embedding_server", "--model", model, *extra_args, served_names=served_names)


def scripted(*, served_names: Sequence[str], extra_args: Sequence[str] = ()) -> Serving:
    """Answers from a script: what tests and the first conversation need to be repeatable."""
    script = f"{SCRIPT_FOLDER}/{SCRIPT_FILE}"
    return _program("scripted_model", "--script", script, *extra_args, served_names=served_names)


def _program(
    program: str,
    *args: str,
    served_names: Sequence[str],
    env: dict[str, str] | None = None,
    startup_seconds: int = 60,
) -> Serving:
    named = ("--served-name", *served_names) if served_names else ()
    return Serving(
        command=("python", "-m", f"local.workloads.{program}"),
        args=(*args, *named, "--host", POD_IP, "--port", str(PORT)),
        port=PORT,
        startup_seconds=startup_seconds,
        env=env or {},
    )
