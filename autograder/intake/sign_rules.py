"""Which names, imports, paths and methods in a source are a sign, and of what kind.

Names are dotted, as `origins.py` gives them; those that Python itself binds begin with `builtins`. Only the standard
library is imported here.
"""

from __future__ import annotations

import re
import sys

USES = tuple(
    (kind, re.compile(rf"(?:{names})(?!\w)"))
    for kind, names in (
        ("code", r"builtins\.(?:eval|exec|compile)|types\.CodeType|code\.(?:interact|InteractiveInterpreter)"),
        ("unpickled", r"(?:pickle|_pickle|dill|cloudpickle)\.(?:loads|Unpickler)|marshal\.loads?"),
        ("frames", r"sys\._(?:getframe|current_frames)|gc\.get_(?:objects|referrers|referents)"),
        ("frames", r"inspect\.(?:stack|trace|currentframe|getouterframes|getinnerframes)"),
        ("hooks", r"(?:sys|threading)\.set(?:trace|profile)|sys\.(?:addaudithook|meta_path|path_hooks|modules)"),
        ("hooks", r"unittest\.mock\.patch"),
        ("native", r"_?ctypes|cffi|numpy\.ctypeslib|torch\.utils\.cpp_extension|torch\.(?:ops|classes)\.load_library"),
        (
            "process",
            r"os\.(?:system|popen|exec[lv]\w*|(?:posix_)?spawn\w*|fork\w*|kill\w*|_exit|abort|set\w*[ug]id\w*)",
        ),
        ("process", r"_?subprocess|pty|_posixsubprocess"),
        ("descriptor", r"os\.(?:p?writev?|p?readv?|dup2?|fdopen|sendfile)|fcntl|mmap"),
        ("network", r"_?socket(?!\.(?:gethostname|setdefaulttimeout))|socketserver|ftplib|smtplib|telnetlib|paramiko"),
        ("later", r"signal\.(?:signal|alarm|setitimer|pthread_\w+|raise_signal|SIG_IGN)|atexit"),
        ("environment", r"os\.environb?"),
        ("lookup", r"builtins\.__import__|importlib\.(?:util|machinery|_bootstrap\w*)|runpy|imp"),
    )
)
"""Kind of a sign and the names whose use is one."""

GUARDED = re.compile(r"os|sys|builtins|ctypes|subprocess|importlib|gc|inspect|signal|socket|marshal|pickle")
"""Modules in which one looks names up by a computed string only to hide which."""

FRAME_ATTRIBUTE = re.compile(
    r"f_(?:back|locals|globals|builtins)|tb_(?:frame|next)|(?:gi|cr|ag)_frame|"
    r"__(?:globals|code|closure|subclasses|builtins)__"
)
"""What leads from any object to frames, to the insides of functions, or to all classes."""

ANSWER = re.compile(r"__(?:torch_function|torch_dispatch|array_function|array_ufunc)__")
"""Methods by which a class tells libraries what they get."""

COMPARISON = re.compile(r"__(?:eq|ne|lt|le|gt|ge)__")

VALUES = re.compile(
    r"torch\.(?:\w*Tensor|nn\.(?:parameter\.)?Parameter)|numpy\.ndarray|builtins\.(?:int|float|str|bool|tuple|list|dict)"
)
"""Classes of values that a check compares."""

DECODER = re.compile(
    r"(?:b16|b32|b64|b85|a85|urlsafe_b64|standard_b64)decode|decodebytes|unhexlify|fromhex|decompress(?:obj)?|loads"
)
"""Methods that decode or unpack."""

ENVIRONMENT_METHODS = re.compile(r"os\.environ\.(?:get|setdefault|pop|update)|os\.getenv")
"""Ask for one variable, or set some."""

GRADER_VARIABLE = re.compile(r"pytest|autograder|gradescope|secret", re.IGNORECASE)

PATH = re.compile(r"(?<![\w./:-])/(?:proc|etc|autograder|sys/(?:fs|kernel)|dev/(?:fd|mem))(?=/|\s|['\"]|$)")
"""Folders of the system and of the grader, also within a longer string, but not in an address."""

INSTALLING = re.compile(r"[^;&|`$<>]*\bpip3?\b[^;&|`$<>]*")
"""A command, or a word of one, that calls pip and nothing else."""

_LIBRARY = re.compile(
    r"diffusers|(?:denoising_diffusion|imagen|dalle2|vector_quantize|byol|classifier_free_guidance|rectified_flow|"
    r"audio_diffusion)_pytorch|pythae|(?:k|guided|improved)_diffusion|consistency_models|labml_nn|lightly|solo|"
    r"pl_bolts|torchgan|torch_mimicry|monai|flow_matching|torchcfm"
)
_REFERENCE = re.compile(r"(?:autograder|genlab|(?:.+[._])?(?:solutions?|reference|answers?|corriges?))(?:\..*)?")
_SHARED = frozenset({"torch", "numpy", "pytest", "_pytest"})
# What students rightly set: switches of libraries, and known remedies for downloads and warnings.
_MAY_BE_SET = re.compile(
    r"torch\.(?:backends|_dynamo|_inductor|hub)\.|(?:ssl|warnings|logging|urllib|http)\.|"
    r"sys\.(?:stdout|stderr|stdin|argv|path|dont_write_bytecode|ps1)$"
)


def kind_of_import(module: str) -> str:
    """`library` for one that holds what is to be written, `reference` for the grader's or a solution; else empty."""
    if _LIBRARY.fullmatch(module.partition(".")[0]):
        return "library"
    return "reference" if _REFERENCE.fullmatch(module) else ""


def is_shared(dotted: str) -> bool:
    """Whether a change of `dotted` reaches all code of the process, and is not one that students rightly make."""
    module, dot, _ = dotted.partition(".")
    known = module in _SHARED or module in sys.stdlib_module_names
    return bool(known and dot and not _MAY_BE_SET.match(dotted))
