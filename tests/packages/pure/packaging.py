# requirement: packaging
# imports: packaging.version, packaging.specifiers, packaging.markers
import packaging.version
import packaging.specifiers
import packaging.markers

assert packaging.version.Version("1.10") > packaging.version.Version("1.9") and "1.4" in packaging.specifiers.SpecifierSet("~=1.2")
assert packaging.markers.Marker("python_version >= '3.13'").evaluate()
