# SPDX-License-Identifier: GPL-2.0-only
"""The guest's parts, without booting one."""

import contextlib
import hashlib
import io
import json
import pathlib
import re
import subprocess
import tempfile
import time
import unittest
from unittest import mock

from build import arch
from common.ui import Failure
from guest import devicetree, disk, diskread, guest, initramfs, machine, vm
from tests.folder import FolderTest


class Disk(FolderTest):
    def test_file_has_the_bytes_of_the_seed(self):
        image = disk.make(self.folder / "disk.img").read_bytes()
        self.assertEqual(len(image), 64 << 20)
        self.assertEqual(hashlib.sha256(image).hexdigest(), disk.sha256())
        pages = {image[at:at + 4096] for at in range(0, len(image), 4096)}
        self.assertEqual(len(pages), len(image) // 4096)

    def test_a_cut_file_is_made_again(self):
        (self.folder / "disk.img").write_bytes(b"short")
        self.assertEqual(disk.make(self.folder / "disk.img").stat().st_size, disk.SIZE)


class Reports(unittest.TestCase):
    GOOD = f"model: QEMU\nserial: {machine.SERIAL}\nbytes: {disk.SIZE}\nsha256: {{}}\n"
    LOOKUPS = "addresses looked up: 2069\nlookups: {}\n"

    def problems(self, output, count=1):
        return [diskread.problem(report) for report in diskread.reports(output, count)]

    def test_right(self):
        good = self.GOOD.format(disk.sha256()) + self.LOOKUPS.format(5)
        self.assertEqual(self.problems(f"options: \n{good}options: --irq\n{good}", 2), ["", ""])

    def test_wrong_sum(self):
        problem, = self.problems("options: \n" + self.GOOD.format("0" * 64) + self.LOOKUPS.format(5))
        self.assertIn("sha256 is 000", problem)

    def test_too_little(self):
        good = self.GOOD.format(disk.sha256()) + self.LOOKUPS.format(5)
        problem, = self.problems("options: \n" + good.replace("bytes: 6", "bytes: 5"))
        self.assertIn("bytes", problem)

    def test_one_call_a_buffer(self):
        good = self.GOOD.format(disk.sha256()) + self.LOOKUPS
        self.assertEqual(self.problems("options: \n" + good.format(20)), [""])
        problem, = self.problems("options: \n" + good.format(2067))
        self.assertIn("2067 lookups", problem)

    def test_no_lookup(self):
        good = self.GOOD.format(disk.sha256())
        for lookups in ("", self.LOOKUPS.format(0), "addresses looked up: 2069\n",
                        "addresses looked up: 0\nlookups: 1\n"):
            problem, = self.problems("options: \n" + good + lookups)
            self.assertIn("does not say", problem)
        report, = diskread.reports("options: \n" + good + self.LOOKUPS.format(0), 1)
        self.assertEqual(diskread.problem(report, translated=True), "")

    def test_nothing_printed(self):
        self.assertTrue(all(self.problems("", 2)))
        self.assertTrue(all(self.problems("options: \noptions: --irq\n", 2)))

    def test_status(self):
        problem, = self.problems("options: \n" + self.GOOD.format(disk.sha256()) + "status: 3\n")
        self.assertIn("status 3", problem)

    def test_script_goes_on_after_a_failure(self):
        script = pathlib.Path(diskread.SCRIPT)
        done = subprocess.run(["sh", str(script), "", "--irq"], capture_output=True, text=True)
        self.assertEqual(diskread.reports(done.stdout, 2), [{"status": "127"}] * 2)
        self.assertEqual(done.returncode, 127)


class Result(FolderTest):
    def result(self, log="", **changes):
        file = self.folder / "log"
        file.write_text(log)
        values = {"status": 0, "output": b"", "log": file, "booted": True,
                  "timed_out": False, "seconds": 9.0, **changes}
        return vm.Result(**values).trouble()

    def test_sound(self):
        self.assertEqual(self.result("[ 1.0] fine\n"), "")
        self.assertEqual(self.result(status=7), "")

    def test_trouble(self):
        self.assertIn("did not boot", self.result(booted=False, status=None))
        self.assertIn("stopped before", self.result(status=None))
        self.assertIn("within 9 seconds", self.result(status=None, timed_out=True))
        self.assertIn("  | [ 1.0] BUG: x", self.result("[ 1.0] BUG: x\n"))


class Boots(FolderTest):
    """Machines that are lost before init, or not, one after the other."""

    def boots(self, *booted, tries=2):
        results = []

        def once(machine, name, work, *_):
            log = work / f"{name}.log"
            log.write_text(f"[ 1.0] boot {len(results)}\n")
            came_up = booted[len(results)]
            if came_up is None:
                results.append(None)
                raise vm.Crashed("QEMU was ended by signal 11")
            results.append(vm.Result(0 if came_up else None, b"", log, came_up, not came_up, 5))
            return results[-1]
        with mock.patch.object(vm, "run_once", once), mock.patch.dict(vm.LOST, clear=True), \
             contextlib.redirect_stdout(io.StringIO()):
            result = vm.run(None, "guest", self.folder, 5, tries=tries)
            return result, dict(vm.LOST), len(results)

    def test_one_that_comes_up(self):
        result, lost, boots = self.boots(True)
        self.assertEqual((result.trouble(), lost, boots), ("", {}, 1))

    def test_one_is_lost(self):
        result, lost, boots = self.boots(False, True)
        self.assertEqual((result.trouble(), boots), ("", 2))
        self.assertIn("did not boot within 5 seconds", lost["guest"])
        self.assertIn("boot 0", (self.folder / "guest.lost.log").read_text())
        self.assertIn("boot 1", result.log.read_text())

    def test_a_second_one_is_a_failure(self):
        result, _, boots = self.boots(False, False)
        self.assertIn("did not boot", result.trouble())
        self.assertEqual(boots, 2)

    def test_a_crash_of_qemu_is_one_too(self):
        result, lost, boots = self.boots(None, True)
        self.assertEqual((result.trouble(), boots), ("", 2))
        self.assertIn("signal 11", lost["guest"])
        with self.assertRaises(vm.Crashed):
            self.boots(None, None)

    def test_a_trial_is_made_once(self):
        self.assertEqual(self.boots(False, tries=1)[2], 1)


class Status(FolderTest):
    def read(self, text):
        (self.folder / "status").write_text(text)
        return vm.read_status(self.folder / "status")

    def test_read(self):
        self.assertEqual(self.read("booted\nexit 3\n"), (True, 3))
        self.assertEqual(self.read("booted\n"), (True, None))
        self.assertEqual(self.read(""), (False, None))
        self.assertEqual(self.read("booted\nexit \n"[:-1]), (True, None))
        self.assertEqual(vm.read_status(self.folder / "none"), (False, None))

    def test_in_the_log_of_the_kernel(self):
        log = "[    0.1] a\r\nX[    5.25] status: booted\r\n[   10.5] exit 7\r\n"
        self.assertEqual(self.read(log), (True, None))
        self.assertEqual(self.read(log + "[   11.000002] status: exit 3\r\n"), (True, 3))
        self.assertEqual(self.read("[    5.25] it has booted\r\n"), (False, None))


class Follow(unittest.TestCase):
    def follow(self, script, limit, boot=None, status="/none"):
        boot = boot or limit
        process = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        with vm.Monitor() as monitor, mock.patch.object(vm, "NMI_GRACE", 0.2):
            requests = vm.Requests(pathlib.Path(status), {}, monitor)
            output, late = vm.follow(process, monitor, None, requests, vm.Deadline(boot, limit))
            monitor.near.close()
            asked = monitor.far.recv(1000).decode()
        return output, late, [json.loads(line)["execute"] for line in asked.splitlines()]

    def test_output_passes_as_it_is(self):
        self.assertEqual(self.follow(r"printf 'a\r\n\001\377'", 5),
                         (b"a\r\n\x01\xff", False, []))

    def test_a_hang_is_asked_for_its_trace_and_ended(self):
        start = time.monotonic()
        self.assertEqual(self.follow("echo x; exec sleep 60", 0.2),
                         (b"x\n", True, ["qmp_capabilities", "inject-nmi"]))
        self.assertLess(time.monotonic() - start, 10)

    def test_the_time_to_boot_is_not_the_programs(self):
        with tempfile.NamedTemporaryFile("w") as status, mock.patch.object(vm, "TICK", 0.05):
            status.write("booted\n")
            status.flush()
            self.assertEqual(self.follow("echo x; exec sleep 60", 0.2, 60, status.name)[1], True)
            self.assertEqual(self.follow("sleep 0.4; echo x", 60, 0.2, status.name)[:2],
                             (b"x\n", False))


class Requests(FolderTest):
    def test_plug_and_unplug(self):
        status = self.folder / "status"
        device = machine.edu(id="hot", bus="port")
        with vm.Monitor() as monitor:
            requests = vm.Requests(status, {"hot": device}, monitor)
            requests.serve()
            for text in ("booted\nunpl", "ug hot\n", "unplug disk\nplug hot\n", "exit 0\n"):
                with open(status, "a") as file:
                    file.write(text)
                requests.serve()
            monitor.near.close()
            asked = [json.loads(line) for line in monitor.far.recv(4000).decode().splitlines()]
        self.assertEqual([message for message in asked if "arguments" in message], [
            {"execute": "device_del", "arguments": {"id": "hot"}},
            {"execute": "device_add", "arguments": {
                "driver": "edu", "dma_mask": 2**64 - 1, "id": "hot", "bus": "port"}}])


class Trace(FolderTest):
    def asked(self, trace):
        status = self.folder / "status"
        status.write_text("booted\ntrace\n")
        with vm.Monitor() as monitor, mock.patch.object(vm, "TRACED", 0):
            vm.Requests(status, {}, monitor, trace).serve()
            monitor.near.close()
            asked = [json.loads(line) for line in monitor.far.recv(4000).decode().splitlines()]
        return [message["arguments"]["command-line"] for message in asked
                if "arguments" in message]

    def test_on_and_off(self):
        self.assertEqual(self.asked("file"), ["log exec,nochain", "log none"])

    def test_only_where_there_is_a_file_for_it(self):
        self.assertEqual(self.asked(""), [])

    def test_options_by_version(self):
        for version, word in (("7.2.19", "-singlestep"), ("9.2.0", "-accel")):
            said = subprocess.CompletedProcess([], 0, f"QEMU emulator version {version}\n")
            with mock.patch("subprocess.run", return_value=said):
                self.assertEqual(machine.single_steps("file")[0], word)


class Jobs(FolderTest):
    def test_environment(self):
        job = initramfs.Job(program="/bin/sh", environment={"A": "x >/dev/y"})
        initramfs.job_list(job, self.folder)
        shown = subprocess.run(["sh", "-c", "alias /job/program=true; . ./start 2>/dev/null; "
                                "printf %s \"$A\""], cwd=self.folder, capture_output=True,
                               text=True).stdout
        self.assertEqual(shown, "x >/dev/y")

    def test_arguments_are_quoted(self):
        job = initramfs.Job(program="/bin/sh", args=("a b", "it's", "$x"))
        listing = initramfs.job_list(job, self.folder)
        self.assertIn("file /job/program ", listing)
        shown = subprocess.run(["sh", "-c", "set -- $(cat start | cut -d' ' -f2-); "
                                "eval printf '%s,' \"$*\""], cwd=self.folder,
                               capture_output=True, text=True).stdout
        self.assertEqual(shown, "a b,it's,$x,")

    def test_a_blank_in_a_path_is_refused(self):
        with self.assertRaises(Failure):
            initramfs.quote(self.folder / "a b")


class Shapes(unittest.TestCase):
    def command(self, shape):
        return machine.Machine("tcg", "bzImage", "cpio", "disk", append="last",
                               shape=shape).command("log", "status", 5)

    def test_each_disk_has_a_drive(self):
        for shape in machine.SHAPES:
            words = self.command(shape)
            drives = sum(word.startswith("if=none,") for word in words)
            used = [word for word in words if word.startswith("nvme,")]
            self.assertEqual([f"drive=disk{number}," in word
                              for number, word in enumerate(used)], [True] * drives, shape)

    def test_only_one_has_an_iommu(self):
        self.assertEqual([shape for shape in machine.SHAPES
                          if any("-iommu," in word for word in self.command(shape))], ["mixed"])

    def test_what_comes_and_goes_is_there_at_first(self):
        for name, shape in machine.SHAPES.items():
            for device, plugged in shape.hotplug.items():
                self.assertIn(plugged.option(), self.command(name))
                self.assertEqual(plugged.properties["id"], device)

    def test_command_line(self):
        words = self.command("slots")
        line = words[words.index("-append") + 1]
        self.assertTrue(line.endswith(" pcie_ports=native last"), line)


class Arm64(unittest.TestCase):
    def command(self):
        return machine.Machine("tcg", "Image", "cpio", "disk", arch=arch.ARM64).command(
            "log", "status", 5)

    def test_the_program_has_the_second_port_of_the_card(self):
        words = self.command()
        self.assertEqual([value for name, value in zip(words, words[1:]) if name == "-serial"],
                         ["chardev:log"])
        card, = (word for word in words if word.startswith("pci-serial-4x,"))
        self.assertIn("chardev2=program,chardev3=status", card)
        for number in range(1, 5):
            port = re.search(f"chardev{number}=(\\w+)", card)[1]
            self.assertTrue(any(f"id={port}" in word for word in words), port)

    def test_nothing_is_where_a_device_is(self):
        addresses = re.findall(r"bus=pcie\.0,addr=(\w+\.\w)", " ".join(self.command()))
        self.assertEqual(sorted(addresses), ["03.0", "04.0", "05.0"])

    def test_no_iommu(self):
        self.assertNotIn("iommu=", " ".join(self.command()))

    def test_of_a_config_set(self):
        names = [pathlib.Path(name) for name in ("guest.config", "arm64.config")]
        self.assertEqual(arch.of(names), arch.ARM64)
        self.assertEqual(arch.of(names[:1]), arch.X86_64)
        self.assertEqual(arch.ARM64.target, "Image")
        self.assertEqual(arch.X86_64.variables, {})


class Boards(unittest.TestCase):
    """What is there without PCI, and its devicetree."""

    def command(self, shape):
        made = machine.Machine("tcg", "Image", "cpio", "disk", arch=arch.ARM64, shape=shape,
                               devicetree=pathlib.Path("tree.dtb"))
        return made.command("log", "status", 5)

    def test_each_is_given_its_devicetree(self):
        for name, shape in machine.SHAPES.items():
            if shape.devicetree:
                words = self.command(name)
                self.assertEqual(words[words.index("-dtb") + 1], "tree.dtb")

    def test_two_ports_and_none_for_the_status(self):
        for shape in ("zcu102", "raspi3b"):
            words = self.command(shape)
            self.assertEqual(sorted(value for name, value in zip(words, words[1:])
                                    if name == "-serial"), ["chardev:log", "chardev:program"])
            self.assertFalse([word for word in words if "id=status" in word])
            self.assertIn("STATUS_PORT=kmsg", words[words.index("-append") + 1])

    def test_what_they_are_stands_above_what_was_asked_for(self):
        words = self.command("raspi3b")
        self.assertEqual([words[words.index(name) + 1] for name in ("-machine", "-smp", "-m")],
                         ["raspi3b", "4", "1024"])

    def test_the_roots_have_a_device_each(self):
        buses = re.findall(r"edu,\S*bus=(\w+)", " ".join(self.command("roots")))
        self.assertEqual(buses, ["pcie", "port1", "port2", "port3"])
        self.assertEqual(re.findall(r"bus_nr=(\d+)", " ".join(self.command("roots"))),
                         ["64", "128", "192"])


class Devicetrees(FolderTest):
    """By tools that are played."""

    def kernel(self, dtc):
        tools = self.folder / "scripts/dtc"
        tools.mkdir(parents=True)
        for name, text in {"dtc": dtc, "fdtoverlay": "cat $2 $5 >$4"}.items():
            (tools / name).write_text(f"#!/bin/sh\n{text}\n")
            (tools / name).chmod(0o755)
        return mock.Mock(out=self.folder)

    def make(self, name, dtc="cat $7 >$6"):
        words = ["sh", "-c", f"printf base >{self.folder}/base.dtb"]
        made = mock.Mock(bare=lambda *_: words)
        return devicetree.make(self.kernel(dtc), name, made, self.folder).read_text()

    def test_of_ours(self):
        self.assertEqual(self.make("zcu102.dts"),
                         (devicetree.TREES / "zcu102.dts").read_text())

    def test_changes_to_qemus(self):
        self.assertEqual(self.make("roots.dtso"),
                         "base" + (devicetree.TREES / "roots.dtso").read_text())

    def test_a_warning_is_an_error(self):
        with self.assertRaisesRegex(Failure, "cleanly:\nno unit name"):
            self.make("zcu102.dts", "cat $7 >$6; echo no unit name >&2")

    def test_an_error_is_one(self):
        with self.assertRaisesRegex(Failure, "dtc failed: syntax"):
            self.make("zcu102.dts", "echo syntax >&2; exit 1")

    def test_each_shapes_is_there(self):
        for shape in machine.SHAPES.values():
            if shape.devicetree and "/" not in shape.devicetree:
                self.assertTrue((devicetree.TREES / shape.devicetree).exists())

    def test_not_for_another_architecture(self):
        kernel = mock.Mock(arch=arch.X86_64)
        with mock.patch.object(disk, "make"), self.assertRaisesRegex(Failure, "CONFIG=arm64"):
            guest.maker(mock.Mock(build=self.folder), kernel, self.folder, shape="zcu102")


class Machine(unittest.TestCase):
    def test_commas_and_ports(self):
        command = machine.Machine("tcg", "bzImage", "cpio", "disk,1").command("a,b", "s", 5)
        self.assertIn("file,id=log,path=a,,b", command)
        ports = [value for name, value in zip(command, command[1:]) if name == "-serial"]
        self.assertEqual(ports, ["chardev:log", "chardev:program", "chardev:status"])
        self.assertFalse([word for word in command if "iommu" in word and "serial" not in word])
