"""Runs conanfile.py as Conan 2 would, with stand-ins for what it imports; a check where Conan is
not. Usage: dry_run.py DIRECTORY, which then has what the recipe exports and packages."""
import fnmatch
import os
import runpy
import shutil
import sys
import types

here = os.path.dirname(os.path.abspath(__file__))


class ConanFile:
    def __init__(self, recipe_folder, work):
        self.recipe_folder = recipe_folder
        self.export_sources_folder = self.source_folder = os.path.join(work, "sources")
        self.package_folder = os.path.join(work, "package")
        self.settings = types.SimpleNamespace(os="Linux", get_safe=lambda name: "20")
        self.properties = {}
        self.cpp_info = types.SimpleNamespace(set_property=self.properties.__setitem__)


def copy(recipe, pattern, source, destination):
    for folder, _, files in os.walk(source):
        for file in files:
            path = os.path.relpath(os.path.join(folder, file), source)
            if fnmatch.fnmatch(path, pattern):
                target = os.path.join(destination, path)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copy(os.path.join(source, path), target)


def load(recipe, path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def module(name, **contents):
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(contents)


module("conan", ConanFile=ConanFile)
module("conan.errors", ConanInvalidConfiguration=type("Invalid", (Exception,), {}))
module("conan.tools")
module("conan.tools.build", check_min_cppstd=lambda recipe, standard: None)
module("conan.tools.files", copy=copy, load=load)

sys.dont_write_bytecode = True
names = runpy.run_path(os.path.join(here, "conanfile.py"))
recipe = names["StraitConan"](here, sys.argv[1])
recipe.set_version()
assert len(recipe.version.split(".")) == 3, recipe.version
recipe.validate()
recipe.settings.os = "Windows"
try:
    recipe.validate()
    sys.exit("the recipe lets a system pass that strait has no backend for")
except names["ConanInvalidConfiguration"]:
    recipe.settings.os = "Linux"
recipe.export_sources()
recipe.package()
recipe.package_info()
assert recipe.properties["cmake_target_name"] == "strait::strait", recipe.properties
assert os.path.getsize(os.path.join(recipe.package_folder, "licenses", "LICENSE")) > 0
