"""strait for Conan 2: `conan create .ci/packaging/conan`, in a checkout of the release you want.

What adapts another library is among the headers; that library is required by the program itself.
"""
import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load


class StraitConan(ConanFile):
    name = "strait"
    description = "Messages between the processes of one machine"
    license = "BSL-1.0"
    topics = ("ipc", "shared-memory", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    no_copy_source = True

    @property
    def _root(self):
        return os.path.join(self.recipe_folder, "..", "..", "..")

    def set_version(self):
        header = load(self, os.path.join(self._root, "include", "strait", "version.hpp"))
        self.version = ".".join(re.findall(r"^#define STRAIT_VERSION_[A-Z]+ (\d+)$", header, re.M))

    def export_sources(self):
        copy(self, "include/*.[hc]pp*", self._root, self.export_sources_folder)
        copy(self, "LICENSE", self._root, self.export_sources_folder)

    def validate(self):
        if self.settings.os not in ("Linux", "Macos"):
            raise ConanInvalidConfiguration("strait has a backend for Linux and macOS alone")
        if self.settings.get_safe("compiler.cppstd"):
            check_min_cppstd(self, 20)

    def package_id(self):
        self.info.clear()

    def package(self):
        copy(self, "*.[hc]pp*", os.path.join(self.source_folder, "include"),
             os.path.join(self.package_folder, "include"))
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        self.cpp_info.set_property("cmake_file_name", "strait")
        self.cpp_info.set_property("cmake_target_name", "strait::strait")
        self.cpp_info.set_property("pkg_config_name", "strait")
        if self.settings.os == "Linux":
            self.cpp_info.system_libs = ["pthread"]
