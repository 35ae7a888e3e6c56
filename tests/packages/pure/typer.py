# requirement: typer
# imports: typer, typer.testing
import typer
import typer.testing

app = typer.Typer()
app.command()(lambda name: print("hello", name))
assert typer.testing.CliRunner().invoke(app, ["you"]).output == "hello you\n"
