# requirement: beautifulsoup4
# imports: bs4
import bs4

soup = bs4.BeautifulSoup("<p class=a>one<b>two</b></p><p>three", "html.parser")
assert [p.get_text() for p in soup.find_all("p")] == ["onetwo", "three"] and soup.select_one("p.a > b").string == "two"
