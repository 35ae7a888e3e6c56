# requirement: faker
# imports: faker
import faker

fake = faker.Faker("de_DE")
fake.seed_instance(1)
assert len(fake.name().split()) >= 2 and "@" in fake.email()
