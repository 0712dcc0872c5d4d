import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { StatementCache } from './statement-cache.ts'

it('gives rows of what returns rows, and counts the changes of the rest', () => {
  const cache = new StatementCache(new DatabaseSync(':memory:'))
  cache.run('create table numbers (value)')
  expect(cache.run('insert into numbers values (?), (?)', [1, 2])).toEqual({ rows: [], changes: 2 })
  expect(cache.run('update numbers set value = value + 1 returning value').rows).toHaveLength(2)
  expect(cache.run('select value from numbers where value > ?', [2]).rows).toEqual([{ value: 3 }])
})

it('answers rightly for more texts than it keeps', () => {
  const cache = new StatementCache(new DatabaseSync(':memory:'))
  for (let round = 0; round < 2; round += 1) {
    for (let number = 0; number < 600; number += 1) {
      expect(cache.run(`select ${number} as number`).rows).toEqual([{ number }])
    }
  }
})

it('follows a change of the schema', () => {
  const cache = new StatementCache(new DatabaseSync(':memory:'))
  cache.run('create table numbers (value)')
  cache.run('insert into numbers values (1)')
  expect(cache.run('select * from numbers').rows).toEqual([{ value: 1 }])
  cache.run('alter table numbers add column name text')
  expect(cache.run('select * from numbers').rows).toEqual([{ value: 1, name: null }])
})

it('gives many rows without the names in each, rightly also after a change of the schema', () => {
  const cache = new StatementCache(new DatabaseSync(':memory:'))
  cache.run('create table numbers (value)')
  cache.run('insert into numbers values (1), (2)')
  const query = 'select *, 7 as seven from numbers where value < ?'
  expect(cache.table(query, [0]).rows).toEqual([])
  const rows = [
    [1, 7],
    [2, 7],
  ]
  expect(cache.table(query, [3])).toEqual({ columns: ['value', 'seven'], rows, changes: 0 })
  expect(cache.run(query, [2]).rows).toEqual([{ value: 1, seven: 7 }])
  cache.run('alter table numbers add column name text')
  expect(cache.table(query, [2])).toMatchObject({ columns: ['value', 'name', 'seven'], rows: [[1, null, 7]] })
  expect(cache.table('update numbers set value = value + ?', [1])).toEqual({ columns: [], rows: [], changes: 2 })
})
