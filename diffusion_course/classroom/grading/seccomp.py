"""What a student's code may not ask of the kernel: a filter of system calls, seccomp(2), that neither it nor its children can lift.

It is the second wall behind the sandbox's. Where the machine is of another kind, or the kernel knows no filters, the first stands
alone. Like limited.py it imports nothing of the course.
"""

import ctypes
import errno
import os
import struct

# Name -> its number on x86-64, and on aarch64.
MOUNTS = {
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "swapon": (167, 224),
    "swapoff": (168, 225),
}
NAMESPACES = {"unshare": (272, 97), "setns": (308, 268)}
OTHER_PROCESSES = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
}
KERNEL = {
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "open_by_handle_at": (304, 265),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
}
# System V's shared memory and queues, and secret memory, belong to no process: nobody could count them.
UNCOUNTED = {
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "memfd_secret": (447, 447),
}
FORBIDDEN = MOUNTS | NAMESPACES | OTHER_PROCESSES | KERNEL | UNCOUNTED
# Refused for some of their arguments: new namespaces, and what a process needs to keep the grader from counting what it holds.
CLONE, CLONE3, PRCTL = (56, 220), (435, 435), (157, 167)
NEW_NAMESPACES, PR_SET_DUMPABLE = 0x7E02_0000, 4  # CLONE_NEW*, linux/sched.h; linux/prctl.h
MACHINES = {"x86_64": (0, 0xC000_003E), "aarch64": (1, 0xC000_00B7)}  # column above, AUDIT_ARCH_*

# linux/bpf_common.h, linux/seccomp.h, linux/prctl.h
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
ALLOW, REFUSE = 0x7FFF_0000, 0x0005_0000
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2


def program(machine: str) -> bytes:
    """The filter as instructions of BPF for a machine of MACHINES: (code, jump if true, jump if false, operand) each."""
    column, architecture = MACHINES[machine]
    refuse, allow = (RETURN, 0, 0, REFUSE | errno.EPERM), (RETURN, 0, 0, ALLOW)
    lines = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, architecture),  # another one, such as 32 bit, has other numbers
        refuse,
        (LOAD, 0, 0, NUMBER),
    ]
    if machine == "x86_64":
        lines += [(AT_LEAST, 0, 1, 0x4000_0000), refuse]  # x32: the same calls under other numbers
    for numbers in FORBIDDEN.values():
        lines += [(EQUAL, 0, 1, numbers[column]), refuse]
    # clone3 has its flags in memory, where no filter can look. "No such call" makes a libc ask clone instead.
    lines += [(EQUAL, 0, 1, CLONE3[column]), (RETURN, 0, 0, REFUSE | errno.ENOSYS)]
    for numbers, how, value in ((PRCTL, EQUAL, PR_SET_DUMPABLE), (CLONE, ANY_BIT, NEW_NAMESPACES)):
        lines += [
            (EQUAL, 0, 4, numbers[column]),
            (LOAD, 0, 0, FIRST_ARGUMENT),
            (how, 0, 1, value),
            refuse,
            allow,
        ]
    lines += [allow]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def forbid() -> bool:
    """Put this process and all it will start under the filter; whether that could be done."""
    system = os.uname()
    if system.sysname != "Linux" or system.machine not in MACHINES or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    lines = program(system.machine)
    code = ctypes.create_string_buffer(lines, len(lines))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("lines", ctypes.c_void_p)]

    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    told = Program(len(lines) // 8, ctypes.addressof(code))
    return libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(told), 0, 0) == 0
