# requirement: typing-extensions
# imports: typing_extensions
import typing_extensions

assert typing_extensions.get_type_hints(typing_extensions.TypedDict("T", {"a": int})) == {"a": int}
