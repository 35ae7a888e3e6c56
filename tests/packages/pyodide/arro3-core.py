# requirement: arro3-core
# imports: arro3.core
import arro3.core

array = arro3.core.Array([1, 2, None, 4], type=arro3.core.DataType.int32())
assert len(array) == 4 and array.null_count == 1 and array[3].as_py() == 4
table = arro3.core.Table.from_pydict({"a": array})
assert table.num_rows == 4 and table.column_names == ["a"]
