# requirement: python-slugify
# imports: slugify
import slugify

assert slugify.slugify("Über große Dinge!") == "uber-grosse-dinge" or slugify.slugify("Über große Dinge!") == "uber-gro-e-dinge"
