# SPDX-License-Identifier: GPL-2.0-only
"""What `make matrix` compiles with: architectures and compilers, each with the
options that it takes to have PCI and an MMU there."""

import dataclasses

LLVM = "-19"  # Debian's suffix: a version that all its releases from 12 on have


@dataclasses.dataclass(frozen=True)
class Toolchain:
    name: str
    arch: str          # for the kernel's Makefiles
    options: str = ""
    cross: str = ""    # prefix of gcc's name; empty: the machine's own
    clang: bool = False

    @property
    def variables(self):
        """Of the environment, for the kernel's Makefiles."""
        if self.clang:
            return {"ARCH": self.arch, "LLVM": LLVM}
        return {"ARCH": self.arch, **({"CROSS_COMPILE": self.cross} if self.cross else {})}

    @property
    def tools(self):
        """(compiler, nm)."""
        if self.clang:
            return f"clang{LLVM}", f"llvm-nm{LLVM}"
        return f"{self.cross}gcc", f"{self.cross}nm"


ARM = "MMU=y AEABI=y ARCH_MULTIPLATFORM=y"
ARMV7 = f"{ARM} ARCH_MULTI_V7=y ARCH_VIRT=y"
ARM_GCC, ARM64_GCC, RISCV_GCC, MIPS_GCC = (f"{name}-" for name in (
    "arm-linux-gnueabihf", "aarch64-linux-gnu", "riscv64-linux-gnu",
    "mips64el-linux-gnuabi64"))

TOOLCHAINS = (
    Toolchain("x86_64-gcc", "x86_64", "64BIT=y"),
    Toolchain("x86_64-clang", "x86_64", "64BIT=y", clang=True),
    Toolchain("i386-gcc", "i386", "64BIT=n"),
    Toolchain("i386-clang", "i386", "64BIT=n", clang=True),
    Toolchain("arm64-gcc", "arm64", cross=ARM64_GCC),
    Toolchain("arm64-clang", "arm64", clang=True),
    Toolchain("armv7-gcc", "arm", ARMV7, cross=ARM_GCC),
    Toolchain("armv7-clang", "arm", ARMV7, clang=True),
    # The next two have no 64-bit compare and exchange
    Toolchain("armv5-gcc", "arm", f"{ARM} ARCH_MULTI_V7=n ARCH_MULTI_V5=y ARCH_VERSATILE=y",
              cross=ARM_GCC),
    Toolchain("riscv32-gcc", "riscv", "MMU=y NONPORTABLE=y ARCH_RV32I=y", cross=RISCV_GCC),
    Toolchain("riscv64-gcc", "riscv", "MMU=y ARCH_RV64I=y", cross=RISCV_GCC),
    # A board whose devices see memory elsewhere, and whose translation no module can call
    Toolchain("mips64-gcc", "mips", "64BIT=y MACH_LOONGSON2EF=y LEMOTE_FULOONG2E=y "
              "CPU_LITTLE_ENDIAN=y", cross=MIPS_GCC),
)
